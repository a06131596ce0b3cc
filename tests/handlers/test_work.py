"""A token wakes a worker; it comes again only when the world below failed. A turn of the sweeper says what it did."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from actions.catalog import MODULES
from actions.registry import Registry
from adapters.work_tokens import body_of
from domain.errors import AlreadyFinal, AttemptOver, InvalidJson, Unavailable, Undecodable
from handlers import bootstrap, sweep, work
from projections.intents import Wake
from tests.handlers.conftest import MARKER, Connect, Project, RecordedSockets
from tests.kit.clock import FakeClock
from tests.kit.raising import raising
from tests.kit.tables import Aws, moto_fixture
from tests.kit.tokens import token as a_token

aws = moto_fixture()


class Invocation:
    """What Lambda tells of an invocation with a minute left."""

    def __init__(self, aws_request_id: str = "a1") -> None:
        self.aws_request_id = aws_request_id

    def get_remaining_time_in_millis(self) -> int:
        """A minute."""
        return 60_000


def token(body: str, count: str = "1") -> dict[str, Any]:
    return {"messageId": "m1", "body": body, "attributes": {"ApproximateReceiveCount": count}}


def deliver(*tokens: dict[str, Any]) -> list[str]:
    """The tokens that are to come again."""
    answer = work.handler({"Records": tokens}, Invocation())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def hint(request_id: str) -> Wake:
    """What the token of a request that was just submitted says."""
    return a_token(bootstrap.queue().get(request_id))


def naming(request_id: str) -> dict[str, Any]:
    return token(body_of(hint(request_id)))


def test_a_token_leads_to_a_result(connect: Connect) -> None:
    request_id = connect().submit(payload={"a": 1})
    assert deliver(naming(request_id)) == []
    answer = connect().say("get", request_id=request_id)
    assert (answer["state"]["status"], answer["result"]) == ("COMPLETED", {"a": 1})


def test_one_message_delivered_to_two_workers_starts_one_attempt(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    class Noting:
        def run(self, *told: Any) -> None:
            seen.append(told[1])

    request_id = connect().submit()
    monkeypatch.setattr(work, "_worker", Noting)
    for invocation in ("a1", "a2"):
        work.handler({"Records": [naming(request_id)]}, Invocation(invocation))
    monkeypatch.undo()
    lease = timedelta(seconds=30)
    first, second = (bootstrap.queue().claim(hint(request_id), worker_id, lease) for worker_id in seen)
    assert first is not None
    assert second is None


def test_an_action_that_cannot_be_loaded_fails_its_own_requests_and_no_others(
    connect: Connect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = connect()
    broken, other = ann.submit("delay", payload={}, max_attempts=2), ann.submit()
    monkeypatch.setattr(bootstrap, "registry", lambda: Registry({}, {**MODULES, "delay": "actions.no_such_module"}))
    for status, wanted in (("RETRYING", [broken]), ("FAILED", [broken, other])):
        assert deliver(*map(naming, wanted)) == []
        assert ann.say("get", request_id=broken)["state"]["status"] == status
        clock.advance(600)
    assert ann.say("get", request_id=other)["state"]["status"] == "COMPLETED"


def test_a_lost_attempt_of_an_action_that_cannot_be_loaded_is_swept_up_like_any_other(
    connect: Connect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, project: Project
) -> None:
    request_id = connect().submit("delay", payload={})
    assert bootstrap.queue().claim(hint(request_id), "lost", timedelta(seconds=30)) is not None
    project()
    monkeypatch.setattr(bootstrap, "registry", lambda: Registry({}, {"delay": "actions.no_such_module"}))
    clock.advance(60)
    assert sweep.handler({}, None)["leases_expired"] == 1
    assert connect().say("get", request_id=request_id)["state"]["status"] == "RETRYING"


@pytest.mark.parametrize(
    ("refusal", "is_told"), [(InvalidJson("result"), True), (AttemptOver(), False), (AlreadyFinal(), False)]
)
def test_why_an_end_was_refused_is_in_the_log_unless_the_attempt_is_no_longer_its_own(
    connect: Connect, log: Callable[[], str], monkeypatch: pytest.MonkeyPatch, refusal: Exception, *, is_told: bool
) -> None:
    ann = connect()
    token = naming(ann.submit())
    monkeypatch.setattr(bootstrap.queue(), "complete", lambda *_: raising(refusal))
    assert deliver(token) == []
    assert ("Traceback" in log()) == is_told


def test_a_token_without_work_is_spent(connect: Connect) -> None:
    request_id = connect().submit()
    named = naming(request_id)
    unknown = body_of(replace(hint(request_id), request_id="unknown"))
    assert deliver(named, named, token(unknown)) == []
    assert connect().say("get", request_id=request_id)["state"]["attempt"] == 1


@pytest.mark.parametrize(
    "body", ["", "x", "[]", "{}", "null", '{"request_id":null}', '{"request_id":"r","turn":"x","is_ready":true}']
)
def test_an_unreadable_token_still_wakes_a_worker(connect: Connect, project: Project, body: str) -> None:
    request_id = connect().submit()
    project()
    assert deliver(token(body)) == []
    assert connect().say("get", request_id=request_id)["state"]["status"] == "COMPLETED"


def test_a_token_comes_again_when_the_world_below_fails(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    request_id = connect().submit()

    class Down:
        def run(self, *_: object) -> None:
            raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(work, "_worker", Down)
        assert deliver(naming(request_id)) == ["m1"]
    assert deliver(naming(request_id)) == []


def test_a_token_that_comes_again_is_another_claim(connect: Connect, clock: FakeClock) -> None:
    request_id = connect().submit()
    first = bootstrap.queue().claim(hint(request_id), "m1/1", timedelta(seconds=30))
    assert first is not None
    assert deliver(token(body_of(hint(request_id)), count="2")) == []
    assert bootstrap.queue().get(request_id) == first.head
    assert clock.now() < first.head.state.lease_until


def test_neither_payload_nor_result_is_logged(connect: Connect, log: Callable[[], str]) -> None:
    for payload in ({"seconds": MARKER}, {MARKER: 1}):
        connect().say("submit", action="delay", payload=payload)
    request_id = connect().submit(payload=MARKER)
    deliver(naming(request_id))
    assert request_id in log()
    assert MARKER not in log()


def test_a_turn_of_the_sweeper_finds_a_lost_worker_and_tells_what_lies_about(
    connect: Connect,
    project: Project,
    clock: FakeClock,
    sockets: RecordedSockets,
    capsys: pytest.CaptureFixture[str],
    aws: Aws,
) -> None:
    request_id = connect().submit()
    bootstrap.queue().claim(hint(request_id), "w", timedelta(seconds=30))
    project()
    clock.advance(30)
    bootstrap.quarantine().keep({"eventID": "e1"}, Undecodable())
    capsys.readouterr()
    assert sweep.handler({}, None)["leases_expired"] == 1
    aws.s3.delete_object(Bucket=aws.failures_bucket, Key="quarantine//e1.json")
    figures = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [one["FailuresKept"] for one in figures if "FailuresKept" in one] == [[1.0]]
    assert [one["OldestQueued"] for one in figures if "OldestQueued" in one] == [[0.0]]
    assert connect().say("get", request_id=request_id)["state"]["status"] == "RETRYING"
    assert sockets.closed == []
    project()
    assert sweep.handler({}, None)["leases_expired"] == 0
