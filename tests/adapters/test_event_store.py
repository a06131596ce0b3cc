"""A writer knows its own write again when an answer is lost, and what AWS or a row cannot tell is told as such."""

import base64
import json
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from hypothesis import given
from hypothesis import strategies as st

from adapters.event_store import EventStore, from_row, to_row
from domain.errors import Conflict, NotFound, Unavailable, Undecodable
from domain.events import AttemptStarted
from domain.recorded import Head, Origin, RecordedEvent, record
from tests.adapters.wrapped import Wrapped, client_error
from tests.contracts.logs import first, submitted
from tests.kit.clock import START


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


FIELDS = sorted(set(RecordedEvent.__struct_fields__) - {"prev_hash", "hash"})


@pytest.mark.parametrize("field", FIELDS)
def test_a_row_that_lacks_a_field_is_unreadable(field: str) -> None:
    row = {key: value for key, value in to_row(first("r1")).items() if key != field}
    with pytest.raises(Undecodable):
        from_row(row)


@pytest.mark.parametrize("value", [{"L": []}, {"N": "1.5"}, {"N": "x"}, {"NULL": True}, {}, {"S": 5}])
def test_a_row_with_a_value_of_no_kind_we_write_is_unreadable(value: dict[str, Any]) -> None:
    with pytest.raises(Undecodable):
        from_row({**to_row(first("r1")), "at": value})


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
    assert to_row(two)["prev_hash"] == {"B": one.hash}
    assert len(to_row(two)["hash"]["B"]) == 32
    assert "prev_hash" not in to_row(one)
    assert from_row(json.loads(json.dumps(image(to_row(two))))) == two


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
