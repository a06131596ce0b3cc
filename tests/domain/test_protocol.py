"""The wire protocol: each frame of the design is understood, everything else is refused by name."""

from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from domain import exact_json, protocol
from domain.errors import InvalidFrame, InvalidJson, PayloadTooLarge, Rejected
from domain.events import plain
from domain.protocol import FRAME_LIMIT, MAX_DELAY, client_frame, frame_object, server_frame
from tests.strategies import START, json_values

SECRET: Final = "s3cr3t-value"
FRAMES: Final[dict[str, dict[str, Any]]] = {
    "submit": {"type": "submit", "action": "echo"},
    "submit, all": {
        "type": "submit",
        "id": "1",
        "action": "echo",
        "payload": {"a": [1, None]},
        "idempotency_key": "k",
        "submission_id": "s",
        "priority": 9,
        "delay_s": 60,
        "timeout_s": 30,
        "max_attempts": 5,
        "subscribe": False,
        "metadata": {"source": "test"},
    },
    "submit of several": {"type": "submit_batch", "items": [{"type": "submit", "action": "echo"}, {}]},
    "subscribe": {"type": "subscribe", "request_id": "r-1", "after": 3},
    "subscribe to a topic": {"type": "subscribe", "topic": "user#acme#ann"},
    "unsubscribe": {"type": "unsubscribe", "request_id": "r-1"},
    "cancel": {"type": "cancel", "request_id": "r-1", "reason": "no need"},
    "get": {"type": "get", "request_id": "r-1", "at_version": 2},
    "explain": {"type": "explain", "request_id": "r-1"},
    "history": {"type": "history", "request_id": "r-1", "after": 5, "limit": 10},
    "list": {"type": "list", "status": "PENDING", "scope": "tenant", "limit": 200, "cursor": "c"},
    "metrics": {"type": "metrics", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00+01:00", "action": "echo"},
    "audit of a day": {"type": "audit", "day": "2026-01-01", "limit": 1, "cursor": "c"},
    "audit of a request": {"type": "audit", "request_id": "r-1"},
    "actions": {"type": "actions"},
    "ping": {"type": "ping", "id": "~ !"},
}


def parsed(frame: dict[str, Any]) -> protocol.AnyClientFrame:
    return client_frame(frame_object(exact_json.encode(frame)))


def shown(value: Any) -> Any:
    """A field's value as JSON has it."""
    return value.isoformat() if type(value) is date else plain(value)


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_of_the_design_is_understood(name: str) -> None:
    frame = parsed(FRAMES[name])
    given = [field for field in fields(type(frame)) if field.encode_name in FRAMES[name]]
    understood = {"type": frame.type} | {field.encode_name: shown(getattr(frame, field.name)) for field in given}
    expected = {**FRAMES[name]}
    if name == "metrics":
        expected |= {"from": "2026-01-01T00:00:00.000Z", "to": "2026-01-01T23:00:00.000Z"}
    assert understood == expected


def test_every_type_of_frame_has_an_example() -> None:
    assert {type(parsed(frame)) for frame in FRAMES.values()} == set(protocol.AnyClientFrame.__args__)


def test_a_submission_has_the_defaults_of_the_design() -> None:
    frame = parsed(FRAMES["submit"])
    assert isinstance(frame, protocol.Submit)
    assert (frame.priority, frame.subscribe, frame.delay_s, frame.max_attempts, frame.id) == (5, True, 0, None, None)


def test_instants_and_days_of_a_frame_are_read() -> None:
    metrics = parsed(FRAMES["metrics"])
    audit = parsed(FRAMES["audit of a day"])
    assert isinstance(metrics, protocol.Metrics)
    assert isinstance(audit, protocol.Audit)
    assert (metrics.from_, metrics.to) == (START, datetime(2026, 1, 1, 23, tzinfo=UTC))
    assert audit.day == date(2026, 1, 1)


@pytest.mark.parametrize("name", FRAMES)
def test_an_unknown_field_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(InvalidFrame, match=r"surprise: unknown field") as caught:
        parsed({**FRAMES[name], "surprise": SECRET})
    assert SECRET not in caught.value.told


@pytest.mark.parametrize(
    "frame", [{}, {"id": "1"}, {"type": SECRET}, {"type": [SECRET]}, {"type": None}, {"Type": "ping"}]
)
def test_an_unknown_type_is_refused_and_not_repeated(frame: dict[str, Any]) -> None:
    with pytest.raises(InvalidFrame, match="type") as caught:
        parsed(frame)
    assert SECRET not in caught.value.told


WRONG: Final[list[tuple[str, str, list[Any]]]] = [
    ("submit", "id", [1, "", "a" * 129, "a\n", "é", [SECRET]]),
    ("submit", "action", [None, 1, "", "a" * 65, {SECRET: SECRET}]),
    ("submit", "idempotency_key", ["", "a" * 129, "é", 1, f"{SECRET}\n"]),
    ("submit", "priority", [-1, 10, 5.5, "5", True, Decimal("5.0"), 2**70, SECRET]),
    ("submit", "delay_s", [-1, int(MAX_DELAY.total_seconds()) + 1, True, Decimal("1E+400"), SECRET]),
    ("submit", "max_attempts", [0, 21, "3", SECRET]),
    ("submit", "subscribe", [0, 1, "true", SECRET]),
    (
        "submit",
        "metadata",
        [[], SECRET, {"a": 1}, {"": "a"}, {"a": ""}, {"a": "a" * 257}, {str(n): "a" for n in range(17)}],
    ),
    ("subscribe", "request_id", ["", "a" * 65, "a b", "a#b", "a\n", 1, [SECRET]]),
    ("subscribe", "after", [-1, protocol.MAX_VERSION + 1, "0", Decimal("1.0"), None, SECRET]),
    ("subscribe to a topic", "topic", ["", "a" * 263, "é", 7, {SECRET: 1}]),
    ("cancel", "request_id", [None, "", SECRET + "!"]),
    ("cancel", "reason", ["", "a" * 257, 1]),
    ("get", "at_version", [0, protocol.MAX_VERSION + 1, -1, "1", SECRET]),
    ("history", "limit", [0, 201, "1", True, None, 2**64]),
    ("list", "status", ["pending", SECRET, 1]),
    ("list", "scope", ["all", SECRET, None]),
    ("list", "cursor", ["a" * 2049, 1]),
    (
        "metrics",
        "from",
        [0, "0", "1767225600", "2026-01-01T00:00:00", "9999-12-31T23:59:59-05:00", SECRET, None, Decimal("1E+400")],
    ),
    ("metrics", "to", [1767225600000, "0001-01-01T00:00:00+05:00", [SECRET], True, "-1"]),
    ("metrics", "action", ["", "a" * 65]),
    ("audit of a day", "day", [0, "20454", "2026-13-01", "2026-01-01T01:00:00Z", SECRET, True]),
]


@pytest.mark.parametrize(
    ("name", "field", "value"), [(name, field, value) for name, field, values in WRONG for value in values], ids=repr
)
def test_a_wrong_value_is_refused_by_its_field_and_not_repeated(name: str, field: str, value: Any) -> None:
    with pytest.raises(InvalidFrame, match=rf"\.{field}") as caught:
        parsed({**FRAMES[name], field: value})
    told = caught.value.told.replace(f"metadata.{SECRET}", "")
    assert SECRET not in told


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("submit", "id", "a" * 128),
        ("submit", "action", "a" * 64),
        ("submit", "idempotency_key", "a" * 128),
        ("submit", "priority", 0),
        ("submit", "delay_s", int(MAX_DELAY.total_seconds())),
        ("submit", "max_attempts", 1),
        ("submit", "max_attempts", 20),
        ("submit", "metadata", {"k" * 127 + chr(97 + n): "v" * 256 for n in range(16)}),
        ("subscribe", "request_id", "a" * 64),
        ("subscribe", "after", protocol.MAX_VERSION),
        ("subscribe to a topic", "topic", f"user#{'t' * 128}#{'u' * 128}"),
        ("cancel", "reason", "é" * 256),
        ("get", "at_version", 1),
        ("history", "limit", 1),
        ("list", "limit", 200),
        ("list", "cursor", "a" * 2048),
        ("metrics", "from", "0001-01-01T00:00:00Z"),
    ],
)
def test_a_value_at_its_limit_is_taken(name: str, field: str, value: Any) -> None:
    assert parsed({**FRAMES[name], field: value}).type == FRAMES[name]["type"]


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "subscribe"},
        {"type": "subscribe", "request_id": "r-1", "topic": "tenant#acme"},
        {"type": "unsubscribe"},
        {"type": "audit"},
        {"type": "audit", "day": "2026-01-01", "request_id": "r-1"},
    ],
)
def test_a_frame_names_one_target(frame: dict[str, Any]) -> None:
    with pytest.raises(InvalidFrame, match=r"either .* or "):
        parsed(frame)


@pytest.mark.parametrize("text", ["[]", "null", "1", '"ping"', "true"])
def test_a_frame_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidFrame, match="object"):
        frame_object(text)


@pytest.mark.parametrize("filler", ["a", "é", "😀"])
def test_a_frame_is_as_long_as_its_limit_and_no_longer(filler: str) -> None:
    room = FRAME_LIMIT - len('{"a":""}')
    text = filler * (room // len(filler.encode()))
    text += "a" * (room - len(text.encode()))
    assert len(f'{{"a":"{text}"}}'.encode()) == FRAME_LIMIT
    assert frame_object(f'{{"a":"{text}"}}')
    with pytest.raises(PayloadTooLarge):
        frame_object(f'{{"a":"{text}a"}}')


def test_the_words_of_a_refusal_are_few_however_long_the_names() -> None:
    frame = {"type": "ping"} | {f"{n}{'x' * 10_000}": SECRET for n in range(10)}
    with pytest.raises(InvalidFrame) as caught:
        parsed(frame)
    assert len(caught.value.told) < 1_000


@pytest.mark.parametrize(
    "number", ["9007199254740993", "0.1", "1.10", "12345678901234567890123456789012345678", "1E+400", "1E-400"]
)
def test_a_number_in_a_payload_survives_exactly(number: str) -> None:
    frame = client_frame(frame_object(f'{{"type":"submit","action":"echo","payload":{{"n":[{number}]}}}}'))
    assert isinstance(frame, protocol.Submit)
    reply = protocol.Response(id="1", data=frame.payload).encode()
    assert reply == f'{{"type":"response","id":"1","data":{{"n":[{number}]}}}}'


@pytest.mark.parametrize("depth", [exact_json.FRAME_DEPTH, 10_000])
def test_a_payload_that_is_too_deep_is_refused(depth: int) -> None:
    assert frame_object('{"payload":' + "[" * (exact_json.FRAME_DEPTH - 1) + "]" * (exact_json.FRAME_DEPTH - 1) + "}")
    with pytest.raises(InvalidJson, match=r"nested deeper|recursion depth"):
        frame_object('{"payload":' + "[" * depth + "]" * depth + "}")


def test_half_of_a_surrogate_pair_makes_no_frame() -> None:
    for text in ('{"type":"ping","id":"\ud800"}', '{"type":"ping","id":"\\ud800"}'):
        with pytest.raises(InvalidJson, match="surrogate"):
            frame_object(text)


def answered(text: str) -> None:
    """Whatever a client sends, it is a frame or it is rejected."""
    try:
        frame = client_frame(frame_object(text))
    except Rejected:
        return
    assert isinstance(frame, protocol.ClientFrame)


@given(st.text() | json_values.map(exact_json.encode))
def test_junk_is_rejected_and_nothing_worse(text: str) -> None:
    answered(text)


@given(st.sampled_from(sorted(FRAMES)), st.data())
def test_a_frame_with_anything_in_a_field_is_rejected_at_worst(name: str, data: st.DataObject) -> None:
    frame = deepcopy(FRAMES[name])
    fields = [*frame, "id", "payload", "surprise"]
    frame[data.draw(st.sampled_from(fields))] = data.draw(json_values)
    answered(exact_json.encode(frame))


@given(st.sampled_from(sorted(FRAMES)), st.integers(0, 200), st.text(max_size=5))
def test_a_frame_with_a_hole_in_its_text_is_rejected_at_worst(name: str, place: int, text: str) -> None:
    whole = exact_json.encode(FRAMES[name])
    answered(whole[:place] + text + whole[place + 2 :])


@pytest.mark.parametrize("text", ["{", '{"type":"later"}', "[]", '{"type":"ack"}'])
def test_a_server_frame_that_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        server_frame(text)
