"""Workers that race for requests, report late, lose their leases and are told to stop, on an index that lags behind.

However they meet: a request has one running attempt at most, a claim is given to one worker, nothing follows a final
event, what a worker reports counts only for the attempt that runs, and the best of those in the index goes first.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from msgspec.structs import replace

from adapters.claims import Claims
from adapters.items import from_item
from adapters.queue_index import Rotation
from adapters.request_queue import RequestQueue, Submission
from domain.commands import (
    AcknowledgeCancel,
    AppendOutput,
    Cancel,
    Command,
    Complete,
    ExpireLease,
    FailAttempt,
    RenewLease,
    ReportProgress,
    WorkerCommand,
)
from domain.errors import Rejected, Unavailable
from domain.events import AttemptFailed, AttemptStarted, Failure, RequestSubmitted
from domain.instant import EPOCH, to_text
from domain.recorded import Head, RecordedEvent, first_break
from domain.state import FINAL, Status
from projections.intents import Wake
from tests.kit.calls import nth, overtaken_by, watched
from tests.kit.requests import LEASE
from tests.kit.tokens import token
from tests.kit.world import World, a_world
from tests.machines.staged import TWIN, Staged, faults, run

if TYPE_CHECKING:
    from tests.kit.streams import Record

some = st.integers(0, 30)
REPORTS = ("progress", "output", "renew", "complete", "fail", "fail for good", "stop")


@dataclass(frozen=True, slots=True)
class Held:
    """What a worker was given: it never looks again."""

    worker_id: str
    head: Head


class Working(Staged):
    """Some workers and requests; requests of one example only are in the index."""

    world: ClassVar[World]
    kind: ClassVar[type[RequestQueue]] = RequestQueue

    def __init__(self) -> None:
        super().__init__()
        self.queue = self._queue()
        self.clock = self.world.clock
        self.ids: list[str] = []
        self.held: list[Held] = []
        self.waiting: list[Record] = []
        self.workers = 0

    def teardown(self) -> None:
        try:
            self.every_log_obeys_the_law()
        finally:
            super().teardown()
            self.world.records()
            for row in self.world.aws.rows("Requests"):
                key = {"request_id": row["request_id"]}
                self.world.aws.dynamodb.delete_item(TableName=self.world.aws.tables["Requests"], Key=key)

    @rule(priorities=st.lists(st.sampled_from([0, 5, 9]), min_size=1, max_size=3), delay=st.sampled_from([0, 0, 40]))
    def submit(self, priorities: list[int], delay: int) -> None:
        asked: dict[str, Any] = {"tenant_id": self.name, "user_id": "ann", "action": "echo_async", "payload": {}}
        for priority in priorities:
            self.clock.advance(0.001)
            submission = Submission(**asked, max_attempts=2, priority=priority, delay=timedelta(seconds=delay))
            self.ids.append(self.queue.request_id(submission))
            self.queue.enqueue(self.ids[-1], submission)

    @rule(size=st.integers(1, 20))
    def bring_the_index_up(self, size: int) -> None:
        self.waiting += self.world.records()
        batch, self.waiting = self.waiting[:size], self.waiting[size:]
        if batch:
            self.world.project_all(batch)

    @precondition(lambda self: self.ids)
    @rule(hint=st.none() | some, fault=faults, up_to_date=st.booleans())
    def claim(self, hint: int | None, fault: str, *, up_to_date: bool) -> None:
        if up_to_date:
            self.bring_the_index_up(100)
        best = next(self._runnable_in_the_index(), None)
        with self.spoil("PutItem", fault):
            claimed = self._claim(hint)
        if fault in ("none", "sent twice") and best:
            assert claimed is not None
            assert self._rank(claimed) <= best

    @precondition(lambda self: self.ids)
    @rule(hint=st.none() | some, other=st.none() | some, number=st.integers(0, 6))
    def two_claim_at_once(self, hint: int | None, other: int | None, number: int) -> None:
        with watched(overtaken_by(lambda: self._claim(other)), nth("Query", number)):
            self._claim(hint)

    @precondition(lambda self: self.held)
    @rule(which=some, what=st.sampled_from(REPORTS), fault=faults)
    def report(self, which: int, what: str, fault: str) -> None:
        self._send(self.held[which % len(self.held)], what, fault)

    @precondition(lambda self: self.ids)
    @rule(which=some, fault=faults)
    def expire_the_lease(self, which: int, fault: str) -> None:
        before, now = self.queue.get(self._id(which)), self.clock.now()
        with self.spoil("PutItem", fault), suppress(Rejected, Unavailable):
            self.queue.execute(ExpireLease(now=now, jitter=0.5), before)
        if self.queue.get(before.request_id).version > before.version:
            assert before.state.lease_until <= now

    @precondition(lambda self: self.held)
    @rule(which=some, what=st.sampled_from(REPORTS))
    def report_after_another_has_taken_over(self, which: int, what: str) -> None:
        lost = self.held[which % len(self.held)]
        head = self.queue.get(lost.head.request_id)
        if head.state.status is Status.PROCESSING:
            self.clock.set(max(self.clock.now(), head.state.lease_until))
            after = self.queue.execute(ExpireLease(now=self.clock.now(), jitter=0.5), head)
            assert after.state.status is not Status.PROCESSING
            self.clock.set(max(self.clock.now(), after.state.due_at))
        self._claim(self.ids.index(lost.head.request_id))
        self._send(lost, what, "none")

    @precondition(lambda self: self.ids)
    @rule(which=some, fault=faults)
    def cancel(self, which: int, fault: str) -> None:
        command = Cancel(now=self.clock.now(), by="ann")
        with self.spoil("PutItem", fault), suppress(Rejected, Unavailable):
            self.queue.execute(command, self.queue.get(self._id(which)))

    @rule(seconds=st.sampled_from([1, 29, 30, 40, 300]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def every_log_obeys_the_law(self) -> None:
        for request_id in self.ids:
            log = list(self.world.requests.events.read(request_id))
            assert first_break(log) is None
            assert list(offences(log)) == []
            started = {event.attempt: event.worker_id for event in facts(log) if isinstance(event, AttemptStarted)}
            for held in self.held:
                if held.head.request_id == request_id:
                    assert started[held.head.state.attempt] == held.worker_id

    def _queue(self) -> RequestQueue:
        whole = self.world.requests.queue
        made = object.__new__(self.kind)
        made.__dict__.update(whole.__dict__)
        return made

    def _id(self, which: int) -> str:
        return self.ids[which % len(self.ids)]

    def _token(self, which: int) -> Wake:
        """The token that was sent for a request when it was submitted, however long ago."""
        first = self.world.requests.events.get(self._id(which), 1)
        return token(Head.of(first))

    def _claim(self, hint: int | None) -> Head | None:
        self.workers += 1
        worker_id = f"w{self.workers}"
        try:
            claim = self.queue.claim(None if hint is None else self._token(hint), worker_id, LEASE)
        except Unavailable:
            return None
        if claim is None:
            return None
        assert (claim.head.state.status, claim.head.state.worker_id) == (Status.PROCESSING, worker_id)
        self.held.append(Held(worker_id, claim.head))
        return claim.head

    def _send(self, held: Held, what: str, fault: str) -> None:
        before, attempt = self.queue.get(held.head.request_id), held.head.state.attempt
        with self.spoil("PutItem", fault), suppress(Rejected, Unavailable):
            self.queue.execute(self._report(what, held), held.head)
        if self.queue.get(before.request_id).version > before.version:
            assert (before.state.status, before.state.attempt) == (Status.PROCESSING, attempt)

    def _runnable_in_the_index(self) -> Iterator[tuple[int, str]]:
        """The ranks of those that the index shows as ready and that wait indeed, best first."""
        rows = [from_item(row) for row in self.world.aws.rows("Requests")]
        heads = [self.queue.get(row["request_id"]) for row in rows if row.get("queue_shard", "").startswith("ready#")]
        yield from sorted(self._rank(head) for head in heads if head.state.status is Status.PENDING)

    def _rank(self, head: Head) -> tuple[int, str]:
        return -head.state.priority, head.state.due_at.isoformat()

    def _report(self, what: str, held: Held) -> Command:
        now, attempt, outputs = self.clock.advance(0.001), held.head.state.attempt, held.head.state.outputs
        match what:
            case "progress":
                return ReportProgress(now=now, attempt=attempt, percent=self.clock.monotonic() % 100)
            case "output":
                return AppendOutput(now=now, attempt=attempt, index=outputs, chunk="line")
            case "renew":
                return RenewLease(now=now, attempt=attempt, lease_until=now + LEASE)
            case "complete":
                return Complete(now=now, attempt=attempt)
            case "stop":
                return AcknowledgeCancel(now=now, attempt=attempt)
            case _:
                retryable = what == "fail"
                return FailAttempt(now=now, attempt=attempt, error=Failure(code="X"), retryable=retryable, jitter=0.5)


def facts(log: list[RecordedEvent]) -> Iterator[Any]:
    """The events of a log."""
    return (recorded.event() for recorded in log)


def offences(log: list[RecordedEvent]) -> Iterator[str]:
    """Where a log breaks the law, by other means than the domain's rules."""
    running, attempts, due, ended = False, 0, EPOCH, False
    for recorded, event in zip(log, facts(log), strict=True):
        if ended:
            yield f"{recorded.version}: after the end"
        match event:
            case RequestSubmitted():
                due = event.due_at
            case AttemptStarted():
                attempts += 1
                if running or event.attempt != attempts or recorded.at < to_text(due):
                    yield f"{recorded.version}: started while it runs, out of turn or before it is due"
                running = True
            case AttemptFailed():
                running, due = False, event.retry_at
            case _:
                ended = recorded.snapshot().status in FINAL


class GivenTwice(Working):
    """The twin whose log takes two events at one version."""

    removed = ("PutItem", "ConditionExpression")


class UnfencedQueue(RequestQueue):
    """Takes a worker's word for whatever attempt runs now."""

    def execute(self, command: Command, head: Head) -> Head:
        if isinstance(command, WorkerCommand):
            head = self.get(head.request_id)
            command = replace(command, attempt=head.state.attempt)
        return super().execute(command, head)


class Unfenced(Working):
    """The twin without fencing."""

    kind = UnfencedQueue


class OldestFirstClaims(Claims):
    """Knows no priority."""

    def _candidates(self, hint: Wake | None, rotation: Rotation, full: set[str]) -> Iterator[Wake]:
        return iter(sorted(super()._candidates(hint, rotation, full), key=lambda wake: wake.turn.due))


class OldestFirst(Working):
    """The twin that claims whatever is oldest."""

    def _queue(self) -> RequestQueue:
        made = super()._queue()
        claims = made.__dict__["_claims"]
        made.__dict__["_claims"] = OldestFirstClaims(*vars(claims).values())
        return made


@pytest.fixture(scope="module")
def world(dynamodb_at: str | None) -> Iterator[World]:
    with a_world(dynamodb_at) as made:
        yield made


def test_a_request_is_one_workers_at_a_time(world: World) -> None:
    Working.world = world
    run(Working, world.aws)


@pytest.mark.parametrize("twin", [GivenTwice, Unfenced, OldestFirst])
def test_the_machine_catches_a_queue_without(world: World, twin: type[Working]) -> None:
    Working.world = world
    with pytest.raises(AssertionError):
        run(twin, world.aws, TWIN)
