"""The audit view: who did what, and never what was in it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from hypothesis import given

from domain import exact_json
from domain.commands import (
    AppendOutput,
    Cancel,
    Complete,
    FailAttempt,
    RenewLease,
    ReportProgress,
    Source,
    Start,
    Submit,
)
from domain.events import Failure
from domain.instant import epoch_seconds
from domain.recorded import RecordedEvent
from projections.audit import KEPT, NOT_AUDITED, partition, project, shown
from projections.intents import View
from projections.requests import shard_of
from tests.spec import Tables, life
from tests.strategies import START, logs

SECRET: Final = "s3cr3t"
LATER: Final = START + timedelta(minutes=1)
ERROR: Final = Failure(code="RETRY", message="again")


SUBMIT: Final = Submit(
    now=START,
    action="echo",
    digest="d",
    payload={"card": SECRET},
    priority=7,
    connection_id="c-7",
    source_ip="192.0.2.7",
    retry_of="r-0",
    metadata={"m": SECRET},
)
BEGIN: Final = Start(now=START, worker_id="w-1", lease_until=LATER)
BUSY: Final = (
    ReportProgress(now=START, attempt=1, percent=1, message="busy", details={"d": SECRET}),
    AppendOutput(now=START, attempt=1, index=0, chunk=SECRET),
    RenewLease(now=START, attempt=1, lease_until=LATER + timedelta(minutes=1)),
)
DONE: Final = Complete(now=START, attempt=1, result=SECRET, result_ref=SECRET)
LIVES: Final = {
    "completed": life(SUBMIT, BEGIN, *BUSY, DONE),
    "cancelled": life(SUBMIT, BEGIN, Cancel(now=START, by="bob", reason="late", source=Source("c-8", "192.0.2.8"))),
    "retried": life(SUBMIT, BEGIN, FailAttempt(now=START, attempt=1, error=ERROR, retryable=True, jitter=0)),
    "failed": life(SUBMIT, BEGIN, FailAttempt(now=START, attempt=1, error=ERROR, retryable=False, jitter=0)),
}


def told(life_of: str) -> dict[str, dict[str, Any]]:
    return {str(p.attributes["type"]): exact_json.decode(str(p.attributes["detail"])) for p in project(LIVES[life_of])}


def test_no_payload_result_output_or_metadata_is_ever_told() -> None:
    for log in LIVES.values():
        assert SECRET not in repr(project(log))
        assert SECRET not in repr([shown(recorded) for recorded in log])


def test_only_the_life_cycle_is_audited() -> None:
    types = [put.attributes["type"] for put in project(LIVES["completed"])]
    assert types == ["RequestSubmitted", "AttemptStarted", "RequestCompleted"]
    assert sorted(NOT_AUDITED) == ["LeaseRenewed", "OutputAppended", "ProgressReported"]


def test_the_trail_of_one_request_has_every_event() -> None:
    trail = [shown(recorded) for recorded in LIVES["completed"]]
    assert [item["type"] for item in trail] == [recorded.type for recorded in LIVES["completed"]]
    assert [item["version"] for item in trail] == [1, 2, 3, 4, 5, 6]
    assert (trail[2]["percent"], trail[2]["message"]) == (1, "busy")
    assert trail[3]["index"] == 0
    assert trail[4]["lease_until"] == "2026-01-01T00:02:00.000Z"


def test_an_entry_tells_who_when_and_where_from() -> None:
    log = LIVES["completed"]
    put = project(log[:1])[0]
    assert put.view is View.AUDIT
    assert put.after is None
    assert put.key == {
        "day": f"acme#2026-01-01#{shard_of('r-1', 4)}",
        "entry": "2026-01-01T00:00:00.000Z#r-1#0000000001",
    }
    detail = exact_json.decode(str(put.attributes["detail"]))
    assert {name: value for name, value in put.attributes.items() if name != "detail"} == {
        "at": "2026-01-01T00:00:00.000Z",
        "type": "RequestSubmitted",
        "user_id": "ann",
        "expires_at": epoch_seconds(START + KEPT),
    }
    assert detail == {
        "request_id": "r-1",
        "version": 1,
        "hash": log[0].hash.hex(),
        "correlation_id": "c-1",
        "causation_id": "f-1",
        "action": "echo",
        "priority": 7,
        "connection_id": "c-7",
        "source_ip": "192.0.2.7",
        "retry_of": "r-0",
    }
    assert shown(log[0]) == {"at": log[0].at, "type": "RequestSubmitted", "user_id": "ann", **detail}


def test_an_entry_tells_the_attempt_its_worker_and_its_error() -> None:
    started, failed = told("retried")["AttemptStarted"], told("retried")["AttemptFailed"]
    assert (started["attempt"], started["worker_id"]) == (1, "w-1")
    assert (failed["attempt"], failed["error"]) == (1, {"code": "RETRY", "message": "again"})
    assert told("failed")["RequestFailed"]["error"] == {"code": "RETRY", "message": "again"}


def test_an_entry_tells_who_cancelled_why_and_where_from() -> None:
    asked = told("cancelled")["CancelRequested"]
    assert (asked["by"], asked["reason"]) == ("bob", "late")
    assert (asked["connection_id"], asked["source_ip"]) == ("c-8", "192.0.2.8")


def test_an_address_is_for_the_audit_alone() -> None:
    for log in LIVES.values():
        assert "192.0.2." not in repr([recorded.shown() for recorded in log])


@given(logs(min_size=1))
def test_each_event_has_its_own_entry_the_same_on_every_delivery(log: Sequence[RecordedEvent]) -> None:
    audited = [recorded for recorded in log if recorded.type not in NOT_AUDITED]
    assert len({tuple(put.key.values()) for put in project(log)}) == len(project(log)) == len(audited)
    assert Tables().deliver(log, times=3).entries == Tables().deliver(log, times=1).entries


@given(logs(min_size=1), logs(min_size=1, request_id="r-2"))
def test_entries_of_different_requests_never_meet(one: Sequence[RecordedEvent], other: Sequence[RecordedEvent]) -> None:
    keys = [tuple(put.key.values()) for put in project([*one, *other])]
    assert len(set(keys)) == len(keys)


def test_entries_of_a_request_sort_in_the_order_of_its_versions() -> None:
    entries = [put.key["entry"] for put in project(LIVES["completed"])]
    assert entries == sorted(entries)


def test_an_entry_is_kept_for_four_hundred_days() -> None:
    assert timedelta(days=400) == KEPT
    assert partition("acme", "2026-01-01", 3) == "acme#2026-01-01#3"


def test_an_event_has_no_fields_that_the_audit_has_not_thought_of() -> None:
    known = {"request_id", "version", "event_id", "type", "schema", "at", "tenant_id", "user_id", "correlation_id"}
    known |= {"causation_id", "data", "state", "prev_hash", "hash"}
    assert set(RecordedEvent.__struct_fields__) == known
