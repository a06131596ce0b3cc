"""Who did what is told of one request and of a tenant's day."""

from typing import Any

import pytest

from handlers import audit_trail
from tests.handlers.conftest import Connect, Project
from tests.kit.clock import FakeClock


def test_the_audit_of_a_day_may_be_one_users(connect: Connect, project: Project, clock: FakeClock) -> None:
    for user in ("ann", "bob", "ann"):
        connect(user).submit()
    project()
    reader, day = connect("eve", "tenant:read"), clock.now().date().isoformat()
    first = reader.say("audit", day=day, user_id="ann", limit=1)
    rest = reader.say("audit", day=day, user_id="ann", cursor=first["cursor"])
    assert [entry["user_id"] for entry in first["items"] + rest["items"]] == ["ann", "ann"]
    assert reader.say("audit", request_id="r-1", user_id="ann")["code"] == "VALIDATION_ERROR"


def test_the_audit_of_a_request_has_all_its_events_and_of_a_day_the_tenants(
    connect: Connect, project: Project, clock: FakeClock
) -> None:
    request_id = connect().submit()
    connect().say("cancel", request_id=request_id, reason="enough")
    project()
    first = connect().say("audit", request_id=request_id, limit=1)
    rest = connect().say("audit", request_id=request_id, cursor=first["cursor"])
    items = first["items"] + rest["items"]
    assert [item["type"] for item in items] == ["RequestSubmitted", "RequestCancelled"]
    assert "cursor" not in rest
    day = clock.now().date().isoformat()
    assert connect().say("audit", day=day)["code"] == "FORBIDDEN"
    reader = connect("eve", "tenant:read")
    answer = reader.say("audit", day=day)
    assert {"RequestSubmitted", "RequestCancelled"} <= {item["type"] for item in answer["items"]}
    page = reader.say("audit", day=day, limit=1)
    assert page["items"] + reader.say("audit", day=day, cursor=page["cursor"])["items"] == answer["items"]


def test_the_audit_of_a_day_that_does_not_fit_a_frame_comes_in_more_pages(
    connect: Connect, project: Project, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        connect().submit()
    project()
    reader, day = connect("eve", "tenant:read"), clock.now().date().isoformat()
    whole = reader.say("audit", day=day)["items"]
    monkeypatch.setattr(audit_trail, "LIST_BUDGET", 1)
    found: list[Any] = []
    page: dict[str, Any] = {}
    while not found or "cursor" in page:
        page = reader.say("audit", day=day, **({"cursor": page["cursor"]} if page else {}))
        assert len(page["items"]) == 1
        found += page["items"]
    assert found == whole
