"""No expression is built from values: what a client sends is in an expression's values, never in its text."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from adapters.request_view import RequestView
from domain.identity import TENANT_READ, TENANT_WRITE
from tests.security.fuzz import valid_frames
from tests.security.house import House


def inputs(number: int) -> dict[str, str]:
    """Names and texts of a client's choosing that are in nothing else."""
    return {name: f"zq{number}{name}" for name in ("tenant", "user", "socket", "key", "text")}


def expressions(calls: list[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """The text of every expression that was sent, and the names that go into one."""
    for _, given in calls:
        yield from _texts(given)


def _texts(given: Any) -> Iterator[str]:
    if isinstance(given, dict):
        for name, value in given.items():
            if name.endswith("Expression"):
                yield value
            elif name == "ExpressionAttributeNames":
                yield from value.values()
            elif name != "ExpressionAttributeValues":
                yield from _texts(value)
    elif isinstance(given, list):
        for one in given:
            yield from _texts(one)


def asked(number: int) -> tuple[set[str], str]:
    """The expressions of a run of every kind of frame, with all that follows from it; and all that was asked."""
    house, said = House(), inputs(number)
    with house.open(TENANT_CONCURRENCY="3", FRAMES_PER_SECOND="100", SUBMITS_PER_SECOND="100"):
        claims = house.claims(said["tenant"], said["user"], TENANT_READ, TENANT_WRITE)
        house.connected(said["socket"], claims)
        submit = {"action": "echo_async", "payload": said["text"], "metadata": {said["key"]: said["text"]}}
        made = house.say(said["socket"], claims, "submit", idempotency_key=said["key"], **submit)["request_id"]
        house.deliver()
        house.work_all()
        for frame in valid_frames([made]):
            fields = {name: value for name, value in frame.items() if name != "type"}
            if "topic" in fields:
                fields["topic"] = f"user#{said['tenant']}#{said['user']}"
            if "user_id" in fields:
                fields["user_id"] = said["user"]
            answer = house.say(said["socket"], claims, frame["type"], **fields)
            assert answer["type"] != "error" or answer["code"] == "ALREADY_FINAL", (frame, answer)
        house.say(said["socket"], claims, "metrics", **{"from": "2026-11-22T08:00:00Z", "to": "2026-11-22T09:00:00Z"})
        house.deliver()
        house.work_all()
        house.sweep()
        house.authorize({}, {"ticket": house.ticket(said["tenant"], said["user"])})
        return set(expressions(house.dynamodb.calls)), str(house.dynamodb.calls)


def test_what_a_client_sends_is_in_no_expression() -> None:
    sent, everything = asked(1)
    for text in inputs(1).values():
        assert text in everything
        assert [one for one in sent if text in one] == []


def test_expressions_are_the_same_whatever_a_client_sends() -> None:
    assert asked(1)[0] == asked(2)[0]


def test_an_expression_with_a_value_in_it_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = RequestView._index_page

    def spliced(self: RequestView, index: str, attribute: str, value: str, limit: int, start: Any) -> Any:
        with patch.object(self, "_client", _Splicing(self._client, value)):
            return real(self, index, attribute, value, limit, start)

    monkeypatch.setattr(RequestView, "_index_page", spliced)
    sent, _ = asked(3)
    assert [one for one in sent if inputs(3)["tenant"] in one] != []


class _Splicing:
    """A client whose queries have a value in their text."""

    def __init__(self, client: Any, value: str) -> None:
        self._client = client
        self._value = value

    def query(self, **given: Any) -> Any:
        text = f"{given['KeyConditionExpression']} AND '{self._value}'"
        self._client.calls.append(("query", {"KeyConditionExpression": text}))
        return self._client.query(**given)
