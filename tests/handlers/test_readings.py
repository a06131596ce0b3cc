"""Requests, their history and lists of them are told as they are, in pages that fit a frame."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from actions.catalog import MODULES, catalog
from actions.inputs import Input
from actions.registry import Registry
from domain.instant import to_text
from domain.recorded import Head
from handlers import bootstrap, readings
from tests.handlers.attempts import completed, started
from tests.handlers.conftest import Connect, Project
from tests.kit.clock import FakeClock


def test_getting_tells_the_state_now_or_as_it_was(connect: Connect) -> None:
    request_id = connect().submit()
    completed(request_id, {"n": 1})
    now = connect().say("get", request_id=request_id)
    assert (now["type"], now["version"], now["state"]["status"], now["result"]) == ("request", 3, "COMPLETED", {"n": 1})
    before = connect().say("get", request_id=request_id, at_version=1)
    assert (before["version"], before["state"]["status"], "result" in before) == (1, "PENDING", False)
    assert connect().say("get", request_id=request_id, at_version=4)["code"] == "NOT_FOUND"


def test_a_large_result_is_behind_a_link(connect: Connect) -> None:
    request_id = connect().submit()
    completed(request_id, "x" * 50_000)
    answer = connect().say("get", request_id=request_id)
    assert "result" not in answer
    assert "Signature" in answer["result_url"]


def test_history_is_read_in_pages(connect: Connect) -> None:
    request_id = connect().submit()
    completed(request_id, 1)
    first = connect().say("history", request_id=request_id, limit=2)
    assert ([event["version"] for event in first["events"]], first["next"]) == ([1, 2], 2)
    rest = connect().say("history", request_id=request_id, after=first["next"])
    assert ([event["version"] for event in rest["events"]], "next" in rest) == ([3], False)


def test_history_tells_the_state_after_the_last_of_its_events_also_when_it_has_just_been_appended(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = connect()
    request_id = ann.submit()
    look_up = readings.request_for

    def then_it_ends(*asked: Any) -> Head:
        head = look_up(*asked)
        completed(request_id, "done")
        return head

    monkeypatch.setattr(readings, "request_for", then_it_ends)
    page = ann.say("history", request_id=request_id)
    assert page["events"][-1]["type"] == "RequestCompleted"
    assert (page["version"], page["state"]["status"]) == (page["events"][-1]["version"], "COMPLETED")


def test_a_list_shows_ones_own_and_with_the_scope_the_tenants(connect: Connect, project: Project) -> None:
    by_ann, by_bob = connect().submit(), connect("bob").submit()
    connect("ann", of="elsewhere").submit()
    connect().say("cancel", request_id=by_ann)
    project()
    assert [item["request_id"] for item in connect().say("list")["items"]] == [by_ann]
    assert connect().say("list", scope="tenant")["code"] == "FORBIDDEN"
    reader = connect("eve", "tenant:read")
    everything = reader.say("list", scope="tenant")["items"]
    assert {item["request_id"] for item in everything} == {by_ann, by_bob}
    assert set(everything[0]) == {"request_id", "user_id", "version", "state"}
    cancelled = reader.say("list", scope="tenant", status="CANCELLED")["items"]
    assert [item["request_id"] for item in cancelled] == [by_ann]
    assert reader.say("list")["items"] == []


def test_a_list_goes_on_from_its_cursor(connect: Connect, project: Project, clock: FakeClock) -> None:
    made = []
    for _ in range(3):
        made.append(connect().submit())
        clock.advance(1)
    project()
    first = connect().say("list", limit=2)
    rest = connect().say("list", limit=2, cursor=first["cursor"])
    assert [item["request_id"] for page in (first, rest) for item in page["items"]] == made[::-1]


def test_a_list_that_does_not_fit_a_frame_comes_in_more_pages(
    connect: Connect, project: Project, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for _ in range(3):
        made.append(connect().submit())
        clock.advance(1)
    project()
    monkeypatch.setattr(readings, "LIST_BUDGET", 1)
    found: list[str] = []
    page: dict[str, Any] = {}
    while not found or "cursor" in page:
        page = connect().say("list", limit=200, **({"cursor": page["cursor"]} if page else {}))
        assert len(page["items"]) == 1
        found += [item["request_id"] for item in page["items"]]
    assert found == made[::-1]


def test_a_request_is_told_as_it_was_at_an_instant(connect: Connect, clock: FakeClock) -> None:
    before = to_text(clock.now() - timedelta(milliseconds=1))
    request_id = connect().submit()
    then = to_text(clock.now())
    clock.advance(60)
    connect().say("cancel", request_id=request_id)
    assert connect().say("get", request_id=request_id, at=then)["state"]["status"] == "PENDING"
    assert connect().say("get", request_id=request_id, at=to_text(clock.now()))["state"]["status"] == "CANCELLED"
    early = connect().say("get", request_id=request_id, at=before)
    assert (early["code"], early["message"]) == ("NOT_FOUND", "it had not been submitted by then")
    assert connect().say("get", request_id=request_id, at=then, at_version=1)["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize("text", ["r" * 15_000, "\u5831" * 5_000])
def test_events_come_in_pages_that_fit_a_frame_whatever_their_letters_are(connect: Connect, text: str) -> None:
    ann = connect()
    request_id = ann.submit()
    started(request_id)
    head = bootstrap.queue().get(request_id)
    for index in range(20):
        head = bootstrap.queue().append_output(head, 1, index, text)
    seen = ann.say("subscribe", request_id=request_id)["events"]
    while seen[-1]["version"] < head.version:
        seen += ann.say("history", request_id=request_id, after=seen[-1]["version"])["events"]
    assert [event["version"] for event in seen] == [*range(1, 23)]


def test_an_action_whose_input_has_no_schema_keeps_no_other_from_being_shown(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = catalog().get("echo")
    unshown = replace(echo, name="unshown", input=Input(threading.Event))
    monkeypatch.setattr(bootstrap, "registry", lambda: Registry({"echo": echo, "unshown": unshown}))
    assert [item["name"] for item in connect().say("actions")["items"]] == ["echo"]


def test_one_is_told_the_actions_that_one_may_submit_and_what_they_take(connect: Connect) -> None:
    told = {item["name"]: item for item in connect().say("actions")["items"]}
    assert told["echo"]["mode"] == "sync"
    assert told["delay"]["mode"] == "async"
    assert told["delay"]["description"]
    assert told["delay"]["input_schema"]["properties"]["steps"]["maximum"] == 1000
    assert "generate_report" not in told, "it needs a scope"
    allowed = {item["name"]: item for item in connect("bob", "tenant:read").say("actions")["items"]}
    assert allowed["generate_report"]["scope"] == "tenant:read"


def test_an_action_that_cannot_be_loaded_is_not_among_those_one_may_submit(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bootstrap, "registry", lambda: Registry({}, {"delay": "actions.no_such", "echo": MODULES["echo"]})
    )
    assert [item["name"] for item in connect().say("actions")["items"]] == ["echo"]
    assert connect().say("submit", action="delay")["code"] == "INTERNAL_ERROR"
    assert connect().say("submit", action="echo", payload=1)["data"] == 1
