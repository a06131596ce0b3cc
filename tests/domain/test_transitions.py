"""The life of a request, walked cell by cell: what the table has happens, everything else changes nothing."""

from datetime import timedelta
from itertools import product
from typing import Any, Final

import pytest
from msgspec import structs

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
)
from domain.errors import AlreadyFinal, AttemptOver, KeyReused, NotFound, NotRunnable, Rejected, Undecodable
from domain.events import (
    EVENTS,
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
from domain.request import TRANSITIONS, decide, evolve, fold
from domain.state import FINAL, RequestState, Status
from tests.strategies import START

LEASE: Final = START + timedelta(seconds=30)
LATER: Final = START + timedelta(minutes=5)
END: Final = START + timedelta(days=7)
ERROR: Final = Failure(code="RETRY", message="try again")

SUBMITTED: Final = RequestSubmitted(action="echo", digest="d", due_at=START, max_attempts=2, expires_at=END)
TIMED: Final = structs.replace(SUBMITTED, ends_by=START)
STARTED: Final = AttemptStarted(attempt=1, worker_id="w", lease_until=LEASE)
RETRIED: Final = AttemptFailed(attempt=1, error=ERROR, retry_at=START)
LAST: Final = AttemptStarted(attempt=2, worker_id="w", lease_until=LEASE)
ASKED: Final = CancelRequested(by="ann")

# Every situation that a status can mean to a decision.
PASTS: Final[dict[str, tuple[Event, ...]]] = {
    "new": (),
    "pending": (SUBMITTED,),
    "pending, time over": (TIMED,),
    "retrying, time over": (TIMED, STARTED, RETRIED),
    "processing": (SUBMITTED, STARTED),
    "processing, cancel asked": (SUBMITTED, STARTED, ASKED),
    "processing, last attempt": (SUBMITTED, STARTED, RETRIED, LAST),
    "retrying": (SUBMITTED, STARTED, RETRIED),
    "completed": (SUBMITTED, STARTED, RequestCompleted(result=1)),
    "failed": (SUBMITTED, STARTED, RequestFailed(error=ERROR)),
    "cancelled": (SUBMITTED, STARTED, RequestCancelled(by="ann")),
}
COMMANDS: Final[tuple[type, ...]] = (
    Submit,
    Start,
    ReportProgress,
    AppendOutput,
    RenewLease,
    Complete,
    FailAttempt,
    ExpireLease,
    Cancel,
    AcknowledgeCancel,
    Expire,
)


def state_of(past: str) -> RequestState:
    return fold((event, START) for event in PASTS[past])


def variants(kind: type, attempt: int) -> list[Command]:
    """The command in the forms that could make a difference, with the attempt's number and with others."""
    numbers = {attempt, 0, 1, 2, 3}
    ways: dict[type, list[dict[str, Any]]] = {
        Submit: [{"action": "echo", "digest": digest} for digest in "dx"],
        Start: [{"worker_id": worker, "lease_until": LATER} for worker in "wx"],
        ReportProgress: [{"percent": 10.0}],
        AppendOutput: [{"index": index, "chunk": "a"} for index in range(2)],
        RenewLease: [{"lease_until": LATER}],
        Complete: [{"result": 1}],
        FailAttempt: [{"error": ERROR, "retryable": retryable, "jitter": 1.0} for retryable in (True, False)],
        ExpireLease: [{"jitter": 1.0}],
        Cancel: [{"by": "ann"}],
        AcknowledgeCancel: [{}],
        Expire: [{}],
    }
    fenced = "attempt" in kind.__struct_fields__  # type: ignore[attr-defined]
    return [
        kind(now=now, **way, **({"attempt": number} if fenced else {}))
        for now in (START, LATER, END)
        for way in ways[kind]
        for number in (numbers if fenced else [0])
    ]


def outcomes(past: str, kind: type) -> set[type]:
    """All that comes of a command in a situation: types of events and of errors; NoneType for nothing."""
    found: set[type] = set()
    for command in variants(kind, state_of(past).attempt):
        try:
            events = decide(command, state_of(past))
        except Rejected as exc:
            found.add(type(exc))
        else:
            found |= {type(event) for event in events} or {type(None)}
    return found


def test_the_walk_meets_every_status_and_every_command() -> None:
    assert {state_of(past).status for past in PASTS} == {None, *Status}
    assert {row.command for row in TRANSITIONS} == set(COMMANDS)


def test_every_row_of_the_table_is_reached_and_nothing_else() -> None:
    reached = {
        (state_of(past).status, kind, outcome)
        for past, kind in product(PASTS, COMMANDS)
        for outcome in outcomes(past, kind)
        if issubclass(outcome, Event)
    }
    assert reached == {(row.status, row.command, row.event) for row in TRANSITIONS}


@pytest.mark.parametrize(
    "row", TRANSITIONS, ids=lambda row: f"{row.status}-{row.command.__name__}-{row.event.__name__}"
)
def test_a_transition_leads_to_the_status_of_its_row(row: Any) -> None:
    nexts = {
        evolve(state_of(past), event, START).status
        for past in PASTS
        if state_of(past).status == row.status
        for command in variants(row.command, state_of(past).attempt)
        for event in followed(command, state_of(past))
        if type(event) is row.event
    }
    assert nexts == {row.next}


def followed(command: Command, state: RequestState) -> list[Event]:
    try:
        return decide(command, state)
    except Rejected:
        return []


NOTHING: Final = type(None)
FENCED: Final = frozenset(COMMANDS) - {Submit, Start, ExpireLease, Cancel, Expire}
ENDED_BY: Final[dict[str, set[type]]] = {
    "retrying": {FailAttempt},
    "retrying, time over": {FailAttempt},
    "completed": {Complete},
    "failed": {FailAttempt},
    "cancelled": {FailAttempt, AcknowledgeCancel},
}


def expected_outside_the_table(past: str, kind: type) -> set[type]:
    """What comes of a pair that the table does not have."""
    if past == "new":
        return {NotFound}
    if kind is Submit:
        return {NOTHING, KeyReused}
    if kind in (Expire, ExpireLease):
        return {NOTHING}
    if kind is Start:
        return {NOTHING, NotRunnable} if past.startswith("processing") else {AlreadyFinal}
    if kind is Cancel:
        return {NOTHING} if past == "cancelled" else {AlreadyFinal}
    refused: set[type] = {AlreadyFinal} if state_of(past).is_final else {AttemptOver}
    return refused | ({NOTHING} if kind in ENDED_BY.get(past, set()) else set())


@pytest.mark.parametrize("past", PASTS)
@pytest.mark.parametrize("kind", COMMANDS, ids=lambda kind: kind.__name__)
def test_a_command_without_a_row_is_rejected_or_repeats_and_nothing_happens(kind: type, past: str) -> None:
    if (state_of(past).status, kind) in {(row.status, row.command) for row in TRANSITIONS}:
        return
    assert outcomes(past, kind) == expected_outside_the_table(past, kind)


@pytest.mark.parametrize("past", PASTS)
@pytest.mark.parametrize("name", EVENTS)
def test_an_event_without_a_row_cannot_be_folded_and_the_state_stays(name: str, past: str) -> None:
    event: Event = {
        type(event).__name__: event
        for event in (
            SUBMITTED,
            STARTED,
            RETRIED,
            ASKED,
            ProgressReported(percent=1),
            OutputAppended(index=0),
            LeaseRenewed(lease_until=LATER),
            RequestCompleted(),
            RequestFailed(error=ERROR),
            RequestCancelled(by="ann"),
        )
    }[name]
    state = state_of(past)
    if (state.status, type(event)) in {(row.status, row.event) for row in TRANSITIONS}:
        assert evolve(state, event, START).status is not None
    else:
        with pytest.raises(Undecodable):
            evolve(state, event, START)
        assert state == state_of(past)


def test_no_row_leaves_a_final_status() -> None:
    assert not {row.status for row in TRANSITIONS} & FINAL
    assert {row.next for row in TRANSITIONS} >= FINAL
