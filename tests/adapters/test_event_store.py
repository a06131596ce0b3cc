"""The log is append-only: a version is written once, a writer knows its own write again, and reads are whole."""

import base64
import json
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from adapters.event_store import EventStore, from_image, from_row, to_row
from domain.errors import Conflict, NotFound, Unavailable, Undecodable
from domain.events import AttemptStarted, Event, OutputAppended
from domain.recorded import Head, Origin, RecordedEvent, first_break, record
from tests.adapters.conftest import submitted
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import START, FakeClock
from tests.kit.tables import Aws

ANN = Origin("acme", "ann", "c1", "f1")


def first(request_id: str, event_id: str = "e1", **fields: Any) -> RecordedEvent:
    """The first event of a request's log."""
    return record(submitted(**fields), Head(request_id), START, event_id, ANN)


def log(events: EventStore, request_id: str, length: int, chunk: object = None) -> list[RecordedEvent]:
    """Append so many events to a new request's log; the third and later ones carry the chunk."""
    clock = FakeClock()
    started = AttemptStarted(attempt=1, worker_id="w", lease_until=START)
    facts: list[Event] = [submitted(), started, *(OutputAppended(index=n, chunk=chunk) for n in range(length - 2))]
    head = Head(request_id)
    recorded = []
    for fact in facts[:length]:
        recorded.append(record(fact, head, clock.now(), clock.event_id(), ANN))
        events.append(recorded[-1])
        head = Head.of(recorded[-1])
    return recorded


def test_what_was_appended_is_read_as_it_was(events: EventStore, name: str) -> None:
    recorded = log(events, name, 4, chunk={"n": 9007199254740993})
    assert list(events.read(name)) == recorded
    assert events.get(name, 3) == recorded[2]
    assert events.head(name) == Head.of(recorded[-1])
    assert first_break(events.read(name)) is None


def test_a_second_writer_of_a_version_conflicts_and_is_told_whose_event_is_there(events: EventStore, name: str) -> None:
    events.append(first(name, "mine"))
    with pytest.raises(Conflict) as caught:
        events.append(first(name, "other"))
    assert caught.value.context == {"request_id": name, "version": 1, "found": "mine"}
    assert events.get(name, 1).event_id == "mine"


def test_a_write_whose_answer_was_lost_is_recognised_when_it_is_repeated(
    events: EventStore, dynamodb: Wrapped, name: str
) -> None:
    dynamodb.lose("put_item")
    with pytest.raises(Unavailable):
        events.append(first(name))
    events.append(first(name))
    assert [event.event_id for event in events.read(name)] == ["e1"]


def test_a_write_that_the_sdk_sent_twice_is_no_conflict(events: EventStore, dynamodb: Wrapped, name: str) -> None:
    dynamodb.resend("put_item")
    events.append(first(name))
    assert list(events.read(name)) == [first(name)]


def test_a_failed_condition_without_the_row_is_a_conflict() -> None:
    with stubbed() as (store, stub):
        stub.add_client_error("put_item", "ConditionalCheckFailedException")
        with pytest.raises(Conflict):
            store.append(first("r1"))


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServerError", "ResourceNotFoundException"])
def test_whatever_else_dynamodb_answers_makes_the_log_unavailable(code: str) -> None:
    with stubbed() as (store, stub):
        stub.add_client_error("put_item", code)
        with pytest.raises(Unavailable) as caught:
            store.append(first("r1"))
        assert caught.value.context["code"] == code
        stub.add_client_error("query", code)
        with pytest.raises(Unavailable):
            store.head("r1")
        stub.add_client_error("query", code)
        with pytest.raises(Unavailable):
            list(store.read("r1"))
        stub.add_client_error("get_item", code)
        with pytest.raises(Unavailable):
            store.get("r1", 1)


def test_every_read_of_the_log_is_consistent() -> None:
    with stubbed() as (store, stub):
        names = {"TableName": "Events", "KeyConditionExpression": ANY, "ExpressionAttributeValues": ANY}
        stub.add_response("query", {"Items": []}, {**names, "ConsistentRead": True})
        stub.add_response(
            "query", {"Items": []}, {**names, "ConsistentRead": True, "ScanIndexForward": False, "Limit": 1}
        )
        stub.add_response("get_item", {}, {"TableName": "Events", "Key": ANY, "ConsistentRead": True})
        assert list(store.read("r1")) == []
        assert store.head("r1").version == 0
        with pytest.raises(NotFound):
            store.get("r1", 1)


def test_a_request_that_is_not_there_has_an_empty_log(events: EventStore, name: str) -> None:
    assert events.head(name) == Head(name)
    assert list(events.read(name)) == []
    with pytest.raises(NotFound):
        events.get(name, 1)


def test_the_newest_row_is_found_by_number_and_not_by_text(events: EventStore, name: str) -> None:
    log(events, name, 11)
    assert events.head(name).version == 11


@pytest.mark.parametrize(
    ("after", "limit", "versions"),
    [(0, None, [1, 2, 3, 4, 5]), (3, None, [4, 5]), (1, 2, [2, 3]), (4, 9, [5]), (5, None, []), (9, 3, []), (0, 0, [])],
)
def test_reading_goes_on_after_a_version_up_to_a_limit(
    events: EventStore, name: str, after: int, limit: int | None, versions: list[int]
) -> None:
    log(events, name, 5)
    assert [event.version for event in events.read(name, after, limit)] == versions


@pytest.mark.parametrize("limit", [None, 7, 20])
def test_a_log_of_more_than_one_page_is_read_to_its_end(
    events: EventStore, dynamodb: Wrapped, name: str, limit: int | None
) -> None:
    recorded = log(events, name, 9, chunk="x" * 300_000)
    found = list(events.read(name, limit=limit))
    assert dynamodb.count("query") > 1
    assert found == recorded[:limit]


def test_only_as_much_is_read_as_is_asked_for(events: EventStore, dynamodb: Wrapped, name: str) -> None:
    log(events, name, 9, chunk="x" * 300_000)
    next(events.read(name))
    assert dynamodb.count("query") == 1


FIELDS = sorted(set(RecordedEvent.__dataclass_fields__) - {"prev_hash", "hash"})


@pytest.mark.parametrize("field", FIELDS)
def test_a_row_that_lacks_a_field_is_unreadable(field: str) -> None:
    row = {key: value for key, value in to_row(first("r1")).items() if key != field}
    with pytest.raises(Undecodable):
        from_row(row)


@pytest.mark.parametrize("value", [{"L": []}, {"N": "1.5"}, {"N": "x"}, {"NULL": True}, {}, {"S": 5}])
def test_a_row_with_a_value_of_no_kind_we_write_is_unreadable(value: dict[str, Any]) -> None:
    with pytest.raises(Undecodable):
        from_row({**to_row(first("r1")), "at": value})


def test_an_unreadable_row_in_the_table_is_told_as_such(events: EventStore, aws: Aws, name: str) -> None:
    row = {"request_id": {"S": name}, "version": {"N": "1"}, "type": {"S": "RequestSubmitted"}}
    aws.dynamodb.put_item(TableName=aws.tables["Events"], Item=row)
    for read in (events.head, lambda one: events.get(one, 1), lambda one: list(events.read(one))):
        with pytest.raises(Undecodable):
            read(name)


def test_a_row_is_kept_until_the_retention_of_its_request_ends() -> None:
    row = to_row(first("r1", expires_at=START + timedelta(days=7)))
    assert row["expires_at"] == {"N": str(int((START + timedelta(days=7)).timestamp()) + 1)}


texts = st.text(max_size=40)


@given(texts, texts, texts, texts, st.recursive(texts | st.integers(), st.lists, max_leaves=5))
def test_a_row_holds_its_event_whole_and_its_hashes_as_bytes(
    request_id: str, correlation: str, cause: str, digest: str, payload: object
) -> None:
    origin = Origin("acme", "ann", correlation, cause)
    one = record(submitted(digest=digest, payload=payload), Head(request_id), START, "e1", origin)
    started = AttemptStarted(attempt=1, worker_id="w", lease_until=START)
    two = record(started, Head.of(one), START, "e2", origin)
    assert from_row(to_row(one)) == one
    assert from_row(to_row(two)) == two
    assert to_row(two)["prev_hash"] == {"B": bytes.fromhex(one.hash)}
    assert len(to_row(two)["hash"]["B"]) == 32
    assert "prev_hash" not in to_row(one)
    assert from_image(json.loads(json.dumps(image(to_row(two))))) == two


def image(row: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The row as a stream record's image has it: bytes are base64 text."""
    return {
        name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else value for name, value in row.items()
    }


class stubbed:  # noqa: N801 - reads as a function
    """An event store whose every answer is given."""

    def __enter__(self) -> tuple[EventStore, Stubber]:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        client = boto3.client("dynamodb", region_name="us-east-1", **keys)  # type: ignore[call-overload]
        self._stub = Stubber(client)
        self._stub.activate()
        return EventStore(client, "Events"), self._stub

    def __exit__(self, *_: object) -> None:
        self._stub.assert_no_pending_responses()
        self._stub.deactivate()


def test_errors_are_told_apart_by_their_code_only(events: EventStore, dynamodb: Wrapped, name: str) -> None:
    dynamodb.fail("put_item", client_error("ValidationException"))
    with pytest.raises(Unavailable) as caught:
        events.append(first(name))
    assert caught.value.context["operation"] == "append"
