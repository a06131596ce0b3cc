"""Nothing that a client sends raises out of the handler: every text has an answer, and every answer is a frame."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import exact_json
from domain.errors import InvalidJson
from domain.instant import to_text
from handlers import bootstrap
from tests.handlers.conftest import Client, RecordedSockets, claims_of
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, forget

READINGS = ["get", "history", "list", "metrics", "audit", "actions", "ping"]
KINDS = ["submit", "subscribe", "unsubscribe", "cancel", *READINGS]
FIELDS = [
    *("id", "action", "payload", "idempotency_key", "priority", "delay_s", "max_attempts", "subscribe", "metadata"),
    *(
        "request_id",
        "topic",
        "after",
        "since",
        "reason",
        "at_version",
        "limit",
        "status",
        "scope",
        "cursor",
        "from",
        "to",
        "day",
    ),
]
TELLING = st.sampled_from(
    [
        *(
            "echo",
            "echo_async",
            "delay",
            "process_data",
            "generate_report",
            "tenant#acme",
            "user#acme#ann",
            "request#x",
        ),
        *("own", "tenant", "PENDING", "2026-11-22", "2026-11-22T08:00:00Z", "9999-12-31T23:59:59-12:00", "-1", "0"),
        *("0190a0b0-0000-7000-8000-000000000000", "eyJ9", "\ud800", "\x00", "", "é" * 300, "x" * 3000),
        *(0, 1, -1, 5, 10**18, 10**40, True, 1e308, 0.5, None),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | TELLING,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FRAMES = st.fixed_dictionaries({"type": st.sampled_from(KINDS) | TELLING}, optional=dict.fromkeys(FIELDS, ANYTHING))
TEXTS = st.text() | st.text(st.characters(), max_size=50) | st.text('{}[]":,\\ud8nulltrue0-9.eE ', max_size=60)


def as_text(value: Any) -> str:
    """JSON of anything, the way a careless client writes it: NaN, Infinity, raw halves of surrogate pairs."""
    return json.dumps(value, ensure_ascii=False)


BODIES = FRAMES.map(as_text) | FRAMES.map(json.dumps) | ANYTHING.map(as_text) | TEXTS


@contextmanager
def client() -> Iterator[Client]:
    """A client with every scope, and a clock that stands still."""
    clock, sockets = FakeClock(), RecordedSockets()
    with patch.object(bootstrap, "CLOCK", clock), patch.object(bootstrap, "sockets", lambda: sockets):
        forget()
        ends_at = to_text(clock.now() + timedelta(hours=1))
        yield Client(claims_of("acme", "ann", ends_at, "tenant:read", "tenant:write"), sockets, "c1")


@pytest.fixture(scope="module")
def ann(aws: Aws) -> Iterator[Client]:
    """One client for all examples."""
    assert aws.tables
    with client() as made:
        yield made


@settings(max_examples=1000)
@given(body=BODIES)
def test_every_text_is_answered_by_a_frame_and_nothing_is_raised(ann: Client, body: str) -> None:
    answer = ann.raw(body)
    assert answer["type"] in {
        *("ack", "response", "subscribed", "unsubscribed", "request", "history", "requests", "metrics", "audit"),
        *("actions", "pong", "error"),
    }
    assert answer.get("code") != "INTERNAL_ERROR", (body, answer)
    try:
        sent = exact_json.decode(body)
    except InvalidJson:
        assert answer["code"] in {"VALIDATION_ERROR", "PAYLOAD_TOO_LARGE"}
    else:
        if isinstance(sent, dict) and isinstance(sent.get("id"), str) and answer["type"] != "error":
            assert answer["id"] == sent["id"]
