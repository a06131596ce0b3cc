"""What Hypothesis draws from: a small universe of times, attempts and workers, so that commands meet each other."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st
from msgspec.structs import replace

from domain.commands import (
    AcknowledgeCancel,
    AppendOutput,
    Cancel,
    Command,
    Complete,
    Expire,
    ExpireLease,
    FailAttempt,
    RenewLease,
    ReportProgress,
    Start,
    Submit,
    WorkerCommand,
)
from domain.errors import Rejected
from domain.events import (
    AttemptFailed,
    AttemptStarted,
    CancelRequested,
    Event,
    Failure,
    LeaseRenewed,
    OutputAppended,
    ProgressReported,
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
    RequestSubmitted,
)
from domain.instant import to_instant
from domain.recorded import Head, Origin, RecordedEvent, record
from domain.request import decide
from domain.state import INITIAL, RequestState

START = datetime(2026, 1, 1, tzinfo=UTC)
ORIGIN = Origin("acme", "ann", "c-1", "f-1")

texts = st.text(st.characters(codec="utf-8"), max_size=8)
numbers = st.one_of(
    st.integers(-(10**40), 10**40),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from([2**53 + 1, Decimal("0.1"), Decimal("1E+400"), Decimal("1." + "7" * 37)]),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)
instants = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)).map(to_instant)  # noqa: DTZ001
soon = st.integers(0, 60_000).map(lambda ms: START + timedelta(milliseconds=ms))
late = st.integers(0, 10 * 24).map(lambda hours: START + timedelta(hours=hours))
times = st.one_of(soon, soon, late)
percents = st.floats(0, 100)
failures = st.builds(Failure, code=st.sampled_from(["RETRY", "PERMANENT"]), message=texts)

events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        RequestSubmitted,
        action=texts,
        payload=json_values,
        payload_ref=st.none() | texts,
        digest=texts,
        priority=st.integers(0, 9),
        due_at=instants,
        max_attempts=st.integers(1, 20),
        expires_at=instants,
        ends_by=st.none() | instants,
        connection_id=st.none() | texts,
        idempotency_key=st.none() | texts,
        retry_of=st.none() | texts,
        metadata=st.none() | st.dictionaries(texts, texts, max_size=2),
    ),
    st.builds(AttemptStarted, attempt=st.integers(1), worker_id=texts, lease_until=instants),
    st.builds(
        ProgressReported,
        percent=percents,
        message=st.none() | texts,
        details=st.none() | json_objects,
        checkpoint=json_values,
    ),
    st.builds(OutputAppended, index=st.integers(0), chunk=json_values),
    st.builds(LeaseRenewed, lease_until=instants),
    st.builds(RequestCompleted, result=json_values, result_ref=st.none() | texts),
    st.builds(AttemptFailed, attempt=st.integers(1), error=failures, retry_at=instants),
    st.builds(RequestFailed, error=failures),
    st.builds(CancelRequested, by=texts, reason=st.none() | texts),
    st.builds(RequestCancelled, by=texts, reason=st.none() | texts),
)


small_values = st.sampled_from([None, 1, 2**53 + 1, Decimal("0.1"), "é", [1, "a"], {"b": {"c": None}}])
small_objects = st.sampled_from([None, {}, {"rows": 1}, {"rows": Decimal("0.1")}])
words = st.sampled_from([None, "a", "b"])
numbered = st.integers(0, 4)
jitters = st.floats(0, 1)
worker_commands: st.SearchStrategy[WorkerCommand] = st.one_of(
    st.builds(
        ReportProgress,
        now=times,
        attempt=numbered,
        percent=st.one_of(percents, st.floats(allow_nan=False, allow_infinity=False)),
        message=words,
        details=small_objects,
        checkpoint=small_values,
    ),
    st.builds(AppendOutput, now=times, attempt=numbered, index=st.integers(0, 3), chunk=small_values),
    st.builds(RenewLease, now=times, attempt=numbered, lease_until=times),
    st.builds(Complete, now=times, attempt=numbered, result=small_values),
    st.builds(
        FailAttempt,
        now=times,
        attempt=numbered,
        error=st.sampled_from([Failure(code="RETRY"), Failure(code="PERMANENT", message="never")]),
        retryable=st.booleans(),
        jitter=jitters,
        after=st.sampled_from([None, timedelta(0), timedelta(days=1)]),
    ),
    st.builds(AcknowledgeCancel, now=times, attempt=numbered, by=st.sampled_from([None, "action echo"])),
)
any_command: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        Submit,
        now=times,
        action=st.sampled_from(["echo", "delay"]),
        digest=st.sampled_from(["d1", "d2"]),
        payload=small_values,
        priority=st.integers(0, 9),
        delay=st.sampled_from([timedelta(0), timedelta(seconds=5), timedelta(days=7)]),
        max_attempts=st.integers(1, 3),
        timeout=st.sampled_from([None, None, timedelta(seconds=20), timedelta(days=1)]),
    ),
    st.builds(Start, now=times, worker_id=st.sampled_from(["w1", "w2"]), lease_until=times),
    worker_commands,
    st.builds(ExpireLease, now=times, jitter=jitters),
    st.builds(Cancel, now=times, by=st.just("ann"), reason=words),
    st.builds(Expire, now=times),
)


def commands(state: RequestState = INITIAL) -> st.SearchStrategy[Command]:
    """Any command; three of four that carry an attempt's number are for the attempt that runs."""
    return st.builds(lambda command, others: _aimed(command, state, others), any_command, st.integers(0, 3))


def _aimed(command: Command, state: RequestState, others: int) -> Command:
    if others and isinstance(command, WorkerCommand):
        aimed: Command = replace(command, attempt=state.attempt)
        return aimed
    return command


def carried_out(command: Command, head: Head, number: int = 0) -> list[RecordedEvent]:
    """What the log gains by a command: nothing when it is rejected."""
    try:
        return [record(event, head, command.now, f"e-{number}", ORIGIN) for event in decide(command, head.state)]
    except Rejected:
        return []


@st.composite
def logs(draw: st.DrawFn, min_size: int = 0, request_id: str = "r-1") -> Sequence[RecordedEvent]:
    """The log of one request that random commands, begun by a submission, lead to."""
    head = Head(request_id)
    log: list[RecordedEvent] = []
    submitted = Submit(now=draw(times), action="echo", digest="d1", payload=draw(small_values))
    script: list[Command | None] = [submitted] if min_size or draw(st.booleans()) else []
    for number in range(draw(st.integers(min_size, min_size + 20))):
        command = (script.pop() if script else None) or draw(commands(head.state))
        for recorded in carried_out(command, head, number):
            log.append(recorded)
            head = Head.of(recorded)
    return log


def state_after(log: Sequence[RecordedEvent]) -> RequestState:
    """The state that a log ends with."""
    return log[-1].snapshot() if log else INITIAL


states = logs().map(state_after)
