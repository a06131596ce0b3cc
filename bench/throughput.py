"""How fast no-op requests flow with 2 workers on the stack on this machine, and what a request's time is spent on.

    python -m bench.throughput [REQUESTS]

The flow is measured from the log: a backlog is made while the workers rest, then they are let at it. What takes the
time is measured in this process, which runs the worker's real handler against the same stack (bench/inside.py).
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from rich.console import Console

from adapters.clock import Clock
from adapters.event_store import EventStore
from adapters.request_queue import Submission
from adapters.work_tokens import body_of
from bench.inside import Spent, as_function, timed
from client.show import table
from domain.instant import from_text
from domain.recorded import Head
from handlers import work
from local.deploy import PROJECT
from local.stack import Stack, running
from local.waiting import until
from tests.kit.stacks import aws_of, queue_of, work_paused
from tests.kit.tokens import token

if TYPE_CHECKING:
    from tests.kit.tables import Aws

WORKERS: Final = 2
WARM_UP: Final = 10
CALM: Final = 30  # requests that are run one at a time, each when the views are up to the log
BACKLOG: Final = 100
_PATIENCE_S: Final = 600.0


class Bench:
    """A stack, and what is done to it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._aws: Aws = aws_of(stack)
        self._clock = Clock()
        self._queue = queue_of(stack)
        self._events = EventStore(self._aws.dynamodb, self._aws.tables["Events"])

    def flow(self, many: int) -> float:
        """Requests a second, from the first start to the last end."""
        with work_paused(self._stack):
            heads = self._ask(many)
            self._wait(lambda: self._tokens() >= many)
        self._wait(lambda: self._tokens() == 0)
        logs = [list(self._events.read(head.request_id)) for head in heads]
        starts = [from_text(event.at) for log in logs for event in log if event.type == "AttemptStarted"]
        ends = [from_text(event.at) for log in logs for event in log if event.type == "RequestCompleted"]
        if len(ends) < many:
            raise RuntimeError(f"{many - len(ends)} requests have not completed")
        return many / ((max(ends) - min(starts)) / timedelta(seconds=1))

    def calm(self, many: int) -> Spent:
        """What requests cost that come one at a time."""
        spent = Spent()
        with work_paused(self._stack), as_function(self._stack, "Work"):
            for _ in range(many):
                heads = self._ask(1)
                self._wait(partial(self._projected, heads))
                _run(heads, spent)
                self._wait(partial(self._projected, heads))
            self._aws.tokens()
        return spent

    def backlog(self, many: int) -> Spent:
        """What requests cost that have been waiting in a long queue, run one right after the other."""
        spent = Spent()
        with work_paused(self._stack), as_function(self._stack, "Work"):
            heads = self._ask(many)
            self._wait(partial(self._projected, heads))
            _run(heads, spent)
            self._aws.tokens()
        return spent

    def _ask(self, many: int) -> list[Head]:
        submission = Submission(tenant_id="bench", user_id="ann", action="echo_async", payload=None, max_attempts=1)
        return [self._queue.enqueue(self._clock.request_id(), submission)[0] for _ in range(many)]

    def _projected(self, heads: Sequence[Head]) -> bool:
        """Whether the requests view is up to the log of these requests."""
        rows = {row["request_id"]["S"]: int(row["version"]["N"]) for row in self._aws.rows("Requests")}
        return all(rows.get(head.request_id) == self._events.head(head.request_id).version for head in heads)

    def _tokens(self) -> int:
        """How many tokens are on the work queue or with a worker."""
        told: Mapping[str, str] = self._aws.sqs.get_queue_attributes(
            QueueUrl=self._stack.queue_url, AttributeNames=["All"]
        )["Attributes"]  # type: ignore[assignment]
        return sum(int(told[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))

    def _wait(self, happened: Callable[[], bool]) -> None:
        if not until(happened, seconds=_PATIENCE_S):
            raise RuntimeError("the stack does not come to an end with it")


class _Context:
    aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def _run(heads: Sequence[Head], spent: Spent) -> None:
    """Run a worker's handler once for each request, and add up where its time went."""
    for head in heads:
        record = {"messageId": head.request_id, "body": body_of(token(head))}
        with timed(spent):
            began = time.perf_counter()
            answer = work.handler({"Records": [record]}, _Context())
            spent.total_s += time.perf_counter() - began
        if answer["batchItemFailures"]:
            raise RuntimeError(f"the worker put back {head.request_id}")
        spent.requests += 1


def throughput(requests: int, console: Console) -> None:
    """Measure on a stack of its own and print the figures."""
    with running(PROJECT / ".local" / "throughput", console.print, WorkConcurrency=str(WORKERS)) as stack:
        bench = Bench(stack)
        bench.flow(WARM_UP)
        a_second = bench.flow(requests)
        bench.calm(1)
        spent = {"one at a time": bench.calm(CALM), f"a backlog of {BACKLOG}": bench.backlog(BACKLOG)}
    made = table("a no-op request in a worker", *spent, right=tuple(spent))
    columns = list(spent.values())
    for place, (name, _) in enumerate(columns[0].shares()):
        cells = [f"{one.shares()[place][1]:.1f} ms ({_percent(one, place)} %)" for one in columns]
        made.add_row(name, *cells)
    made.add_row("together", *(f"{1000 * one.total_s / one.requests:.1f} ms" for one in columns))
    made.add_row("calls of AWS", *(f"{one.calls.total() / one.requests:.2f}" for one in columns))
    for kind in ("read", "write"):
        made.add_row(f"  {kind}s to claim it", *(f"{one.before_start[kind] / one.requests:.2f}" for one in columns))
    console.print(made)
    busy = 100 * a_second * columns[1].total_s / columns[1].requests / WORKERS
    console.print(
        f"{a_second:.1f} requests/s with {WORKERS} workers ({requests} requests, from first start to last end)"
    )
    console.print(f"At that rate handlers as fast as the one measured here are busy {busy:.0f} % of the time.")


def _percent(spent: Spent, place: int) -> int:
    return round(100 * spent.shares()[place][1] / (1000 * spent.total_s / spent.requests))


if __name__ == "__main__":
    throughput(int(sys.argv[1]) if len(sys.argv) > 1 else 200, Console(highlight=False))
