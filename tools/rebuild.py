"""`streamer rebuild VIEW`: the view made anew from the log beside the live one, compared, and switched on request."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from adapters.clock import Clock
from domain.errors import InvalidValue
from domain.instant import from_text, to_text
from tools import parity
from tools.building import Plan, build
from tools.mending import Mended, mend
from tools.operated import Operated
from tools.parity import Difference, Period
from tools.shadow import Shadow

SETTLED: Final = timedelta(minutes=2)  # counts of minutes that ended before are compared: nothing writes them any more
PAUSE: Final = timedelta(seconds=1)  # before looking again at what may be on its way
_SHOWN_AT_MOST: Final = 20
_SEGMENTS: Final = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rebuild is asked for."""

    view: str
    tenant_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    segments: int | None = None
    switch: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What a rebuild found: how much was read, in how long, and every row that differs."""

    events: int
    requests: int
    rows: int
    seconds: float
    differences: list[Difference]
    broken: list[tuple[str, int]]
    mended: Mended | None = None


def rebuild(stack: Operated, asked: Asked, directory: Path, clock: Clock, console: Console) -> Report:
    """Make the view anew, compare it, and with `switch` make the live rows that differ what the log says."""
    file = directory / f"{stack.name}-{asked.view}{f'-{asked.tenant_id}' if asked.tenant_id else ''}.sqlite"
    if asked.fresh:
        remove(file)
    with closing(Shadow(file)) as shadow:
        given = _given(asked, clock.now())
        made_of = shadow.made_of(given)
        _require_same(asked, given, made_of)
        plan = Plan(asked.view, from_text(made_of["now"]), asked.tenant_id, int(made_of["segments"]))
        period = Period(from_text(made_of["until"]), asked.since)
        start = clock.monotonic()
        before = shadow.events()
        with progress(stack, "Events", "making it anew", before, console) as passed:
            build(stack, plan, shadow, passed)
        seconds = clock.monotonic() - start
        with progress(stack, "Requests", "comparing", 0, console) as passed:
            found = parity.compare(stack, plan, period, shadow, pause, passed)
        mended = mend(stack, found, clock) if asked.switch else None
        requests, rows = shadow.size()
        report = Report(shadow.events() - before, requests, rows, seconds, found, shadow.broken(), mended)
    remove(file)
    return report


def _given(asked: Asked, now: datetime) -> dict[str, str]:
    until = asked.until or now - SETTLED
    return {
        "now": to_text(now),
        "until": f"{to_text(until)[:16]}:00.000Z",
        "segments": str(asked.segments or _SEGMENTS),
    }


def _require_same(asked: Asked, given: Mapping[str, str], made_of: Mapping[str, str]) -> None:
    """Refuse what was asked for and cannot be: the log was read in those segments, and counted up to that instant."""
    wanted = {"until": asked.until, "segments": asked.segments}
    if any(value is not None and given[name] != made_of[name] for name, value in wanted.items()):
        begun = " ".join(f"--{name} {made_of[name]}" for name in wanted)
        raise InvalidValue(f"it was begun with {begun}; leave them out to go on, or start anew with --fresh")


def remove(file: Path) -> None:
    """Remove a shadow."""
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)


def show(asked: Asked, report: Report, console: Console) -> int:
    """Tell what was found; the exit code, 1 if anything differs and was not mended."""
    rate = report.events / report.seconds if report.seconds else 0.0
    line = f"{report.events:,} events of {report.requests:,} requests → {report.rows:,} rows, {rate:,.0f} events/s"
    console.print(Text(f"{asked.view}: {line}"), soft_wrap=True)
    for difference in report.differences[:_SHOWN_AT_MOST]:
        console.print(Text(f"  {_named(difference)}", style="red"), soft_wrap=True)
    if len(report.differences) > _SHOWN_AT_MOST:
        console.print(f"  … and {len(report.differences) - _SHOWN_AT_MOST} more")
    found = len(report.differences)
    console.print(Text(f"{found} {'difference' if found == 1 else 'differences'}", style="red" if found else "green"))
    if report.mended is not None:
        rows = f"{report.mended.mended} {'row' if report.mended.mended == 1 else 'rows'} made what the log says"
        console.print(f"{rows}, {report.mended.left} left")
        return 1 if report.mended.left else 0
    return 1 if report.differences else 0


def _named(difference: Difference) -> str:
    """What differs and how, with its request named once."""
    request_id = difference.request_id
    if request_id and difference.what.startswith(request_id):
        return difference.what
    return f"{' '.join(difference.key)}: {difference.what}"


class _Rate(ProgressColumn):
    """How many there were, and how many in a second."""

    def render(self, task: Task) -> Text:
        """The column of a bar."""
        return Text(f"{int(task.completed):,} · {task.speed or 0:,.0f}/s")


@contextmanager
def progress(stack: Operated, table: str, what: str, done: int, console: Console) -> Iterator[Any]:
    """A bar of a table's rows, as many as DynamoDB last counted; what to tell of those that are behind."""
    described = stack.dynamodb.describe_table(TableName=stack.tables[table])["Table"]
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=max(described.get("ItemCount", 0), 1), completed=done)
        yield lambda count: bar.advance(task, count)


def pause() -> None:
    """Let what is on its way arrive."""
    time.sleep(PAUSE.total_seconds())
