"""How fast a view is made anew, and how that grows: `python -m bench.rebuild [EVENTS …]`, on DynamoDB Local.

Prints a line for each size and view: events a second of time, and of this process's own work (with the comparison),
and the process's largest memory until then. Logs are of 13 events each (submitted, started, ten times progress,
completed), made by the domain and written straight to the tables; the live views are written by the projector, so that
the comparison has something to compare.
"""

import argparse
import io
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console

from adapters.aws import PATIENT
from adapters.clock import Clock
from adapters.event_store import to_row
from bench.results import Row
from domain.commands import Command, Complete, ReportProgress, Start, Submit
from domain.recorded import Head, Origin, RecordedEvent, record
from domain.request import decide
from local import dynamodb_local
from local.aws import session
from local.tables import ensure
from tools import building
from tools.operated import Operated
from tools.rebuild import Asked, rebuild, remove
from tools.shadow import Shadow

SIZES: Final = (1_000, 10_000, 100_000)
GROWTH: Final = (1_000, 10_000)
_TRIES: Final = 6  # of which the best counts: nothing makes work less, much makes it more
EVENTS_OF_A_REQUEST: Final = 13
_BATCH: Final = 25
_WRITERS: Final = 8


@dataclass(frozen=True, slots=True)
class Measured:
    """One rebuild: what it read, how fast, and how much memory the process has had at most."""

    view: str
    events: int
    per_second: float
    per_cpu_second: float
    seconds: float
    compared_in: float
    peak_mb: float
    differences: int


def log(number: int, clock: Clock, tenants: int = 10) -> list[RecordedEvent]:
    """The log of one request, whose tenant is one of so many."""
    head = Head(f"bench-{number:08}")
    now = clock.now() - timedelta(hours=1)
    origin = Origin(f"tenant-{number % tenants}", f"user-{number % 100}", "c", "f")
    commands: list[Command] = [Submit(now=now, action="bench", digest="d", payload={"number": number})]
    commands.append(Start(now=now, worker_id="w", lease_until=now + timedelta(minutes=1)))
    commands += [ReportProgress(now=now, attempt=1, percent=10 * n, message=f"Step {n} of 10") for n in range(1, 11)]
    commands.append(Complete(now=now, attempt=1, result={"done": True}))
    events: list[RecordedEvent] = []
    for place, command in enumerate(commands):
        at = now + timedelta(milliseconds=50 * place)
        events.append(record(decide(command, head.state)[0], head, at, clock.event_id(), origin))
        head = Head.of(events[-1])
    return events


def fill(stack: Operated, first: int, requests: int, clock: Clock, *, with_views: bool = True) -> None:
    """Write logs, and bring the views up to them."""

    def write(numbers: range) -> None:
        events = [event for number in numbers for event in log(number, clock)]
        rows: list[Any] = [{"PutRequest": {"Item": to_row(event)}} for event in events]
        for start in range(0, len(rows), _BATCH):
            stack.dynamodb.batch_write_item(RequestItems={stack.tables["Events"]: rows[start : start + _BATCH]})
        newest = [event for event in events if with_views and event.type == "RequestCompleted"]
        outcome = stack.projector(clock).catch_up(newest)
        if outcome.error:
            raise outcome.error

    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(write, (range(n, min(n + 20, first + requests)) for n in range(first, first + requests, 20))))


def measure(stack: Operated, clock: Clock, directory: Path) -> Iterator[Measured]:
    """Make every view anew."""
    for view in building.NAMES:
        start, busy = time.perf_counter(), time.process_time()
        asked = Asked(view, until=clock.now(), fresh=True)
        report = rebuild(stack, asked, directory, clock, Console(file=io.StringIO()))
        whole = time.perf_counter() - start
        cpu = report.events / (time.process_time() - busy)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rate = report.events / report.seconds
        found = len(report.differences)
        yield Measured(view, report.events, rate, cpu, report.seconds, whole - report.seconds, peak, found)


def rows() -> list[Row]:
    """How the work for an event grows with the log, of a view of rows and of one of counts, without the comparison."""
    clock, (small, large) = Clock(), GROWTH
    cpu: dict[tuple[str, int], float] = {}
    with TemporaryDirectory() as name, running(Path(name)) as stack:
        there = 0
        for events in GROWTH:
            requests = events // EVENTS_OF_A_REQUEST
            fill(stack, there, requests - there, clock, with_views=False)
            there = requests
            for view in ("requests", "metrics"):
                again = large // events  # as many events for each size
                tries = ([cpu_us(stack, clock, Path(name), view) for _ in range(again)] for _ in range(_TRIES))
                cpu[view, events] = min(map(mean, tries))
    return [
        Row(
            f"growth: rebuild of {view}, 10^4 against 10^3 events",
            cpu[view, large],
            cpu[view, small],
            "CPU us an event",
            "ratio <= 1.15",
        )
        for view in ("requests", "metrics")
    ]


def cpu_us(stack: Operated, clock: Clock, directory: Path, view: str) -> float:
    """This process's own work for an event that goes into a shadow, in microseconds."""
    file = directory / "growth.sqlite"
    with closing(Shadow(file)) as shadow:
        busy = time.process_time()
        building.build(stack, building.Plan(view, clock.now()), shadow)
        told = (time.process_time() - busy) / shadow.events() * 1e6
    remove(file)
    return told


@contextmanager
def running(directory: Path) -> Iterator[Operated]:
    """A stack of tables alone, on DynamoDB Local."""
    with dynamodb_local.running(directory) as endpoint_url:
        client = session().client("dynamodb", endpoint_url=endpoint_url, config=PATIENT)
        yield Operated("bench", client, _NO_QUEUE, ensure(client, "bench", time_to_live=False), "")


def main(arguments: list[str] | None = None) -> int:
    """Measure each size; the exit code, 1 if any view differs from its log."""
    parser = argparse.ArgumentParser(prog="python -m bench.rebuild", description=__doc__)
    parser.add_argument("events", type=int, nargs="*", default=SIZES)
    sizes = sorted(parser.parse_args(arguments).events)
    clock = Clock()
    differences = 0
    print(" events  view       events/s  per CPU s   read in  compared  peak MB  differences")
    with TemporaryDirectory() as name, running(Path(name)) as stack:
        there = 0
        for events in sizes:
            requests = events // EVENTS_OF_A_REQUEST
            fill(stack, there, requests - there, clock)
            there = requests
            for one in measure(stack, clock, Path(name)):
                differences += one.differences
                rates = f"{one.per_second:>9,.0f}  {one.per_cpu_second:>9,.0f}"
                times = f"{one.seconds:>6.1f} s  {one.compared_in:>6.1f} s"
                figures = f"{rates}  {times}  {one.peak_mb:>7.0f}"
                print(f"{one.events:>7,}  {one.view:8}  {figures}  {one.differences}", flush=True)
    return 1 if differences else 0


class _NoQueue:
    """Completed requests wake nobody."""


_NO_QUEUE: Final[Any] = _NoQueue()

if __name__ == "__main__":
    sys.exit(main())
