"""What the server sends, read as a client reads it."""

from typing import Any, Final

import pytest
from msgspec import convert

from domain.errors import ErrorCode
from domain.protocol import (
    Ack,
    Acks,
    ActionShown,
    ActionsPage,
    AnyServerFrame,
    AuditPage,
    Error,
    EventPush,
    EventShown,
    EventsPush,
    Explanation,
    HistoryPage,
    MetricsPage,
    Pong,
    Request,
    Requests,
    Response,
    Subscribed,
    Unsubscribed,
    server_frame,
)
from domain.state import Status
from tests.strategies import START

SHOWN: Final[dict[str, Any]] = {"version": 1, "type": "LeaseRenewed", "at": "2026-01-01T00:00:00.000Z", "data": {}}
FRAMES: Final[list[AnyServerFrame]] = [
    Ack(id="1", request_id="r-1", status=Status.PENDING, version=1, duplicate=False),
    Acks(id="1", items=[Ack(request_id="r-1", status=Status.PENDING, version=1).shown()]),
    Response(id="1", data={"a": None}),
    Subscribed(request_id="r-1", version=1, state={"status": "PENDING"}, events=[SHOWN]),
    Unsubscribed(id="1"),
    Request(request_id="r-1", version=1, state={}, result=1),
    HistoryPage(request_id="r-1", events=[SHOWN], next=1),
    Requests(items=[{}], cursor="c"),
    Explanation(request_id="r-1", version=2, why="It runs.", state={}),
    MetricsPage(rows=[{}], totals={"submitted": 1}),
    AuditPage(items=[{}]),
    ActionsPage(items=[ActionShown(name="echo", mode="sync", input_schema={"default": None})]),
    Pong(id="1", at=START),
    EventPush(request_id="r-1", from_version=1, version=1, event=SHOWN, state={}),
    EventsPush(items=[{}]),
    Error(id="1", code=ErrorCode.CONFLICT, message="no", details={"a": 1}, retry_after_ms=5),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.type)
def test_a_client_reads_what_the_server_wrote(frame: AnyServerFrame) -> None:
    assert server_frame(frame.encode()) == frame


def test_every_type_of_server_frame_has_an_example() -> None:
    assert {type(frame) for frame in FRAMES} == set(AnyServerFrame.__args__)


def test_fields_without_a_value_are_left_out_and_values_within_stay() -> None:
    assert Response(data={"a": None}).encode() == '{"type":"response","data":{"a":null}}'
    assert Pong(at=START).encode() == '{"type":"pong","at":"2026-01-01T00:00:00.000Z"}'


def test_a_field_of_a_newer_server_is_ignored() -> None:
    assert server_frame('{"type":"unsubscribed","surprise":1}') == Unsubscribed()


def test_an_event_is_shown_with_version_type_instant_and_data() -> None:
    assert convert(SHOWN, EventShown).shown() == SHOWN
