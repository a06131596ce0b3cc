"""A browser trades its token for a ticket, and the ticket for one socket; a refusal tells nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import Unavailable
from handlers import authorize, bootstrap, connect, disconnect, issue_ticket
from tests.handlers.conftest import frame_event
from tests.handlers.test_authorize import opening, refused
from tests.handlers.tokens import signed
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, forget


@pytest.fixture
def clock(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeClock]:
    """The clock of the tickets, at the time that the tokens are of."""
    assert aws.tables
    clock = FakeClock(datetime.now(UTC))
    monkeypatch.setattr(bootstrap, "CLOCK", clock)
    forget()
    yield clock
    forget()


def ask(token: str | None, method: str = "POST", **event: Any) -> tuple[int, dict[str, Any]]:
    """Ask for a ticket; the status and the body of the answer."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    answer = issue_ticket.handler({"requestContext": {"http": {"method": method}}, "headers": headers, **event}, None)
    assert answer["headers"] == {"content-type": "application/json", "cache-control": "no-store"}
    return answer["statusCode"], json.loads(answer["body"])


def ticket(**changes: Any) -> str:
    """A ticket for a good token."""
    status, body = ask(signed(**changes))
    assert status == 200
    made: str = body["ticket"]
    return made


def with_ticket(made: str) -> dict[str, Any]:
    return opening(queryStringParameters={"ticket": made})


@pytest.mark.usefixtures("clock")
def test_a_ticket_opens_one_socket_as_its_token_would() -> None:
    token = signed()
    status, body = ask(token)
    assert status == 200
    by_ticket = authorize.handler(with_ticket(body["ticket"]), None)
    assert by_ticket == authorize.handler(opening(token), None)
    refused(with_ticket(body["ticket"]))


def test_the_whole_way_from_token_to_closed_socket(clock: FakeClock) -> None:
    context = authorize.handler(with_ticket(ticket()), None)["context"]
    event = frame_event(None, context, "c1")
    event["requestContext"]["identity"] = {"sourceIp": "127.0.0.1", "userAgent": "tests"}
    assert connect.handler(event, None) == {"statusCode": 200}
    connection = bootstrap.connections().get("c1", clock.now())
    assert connection is not None
    assert (connection.tenant_id, connection.user_id, connection.source_ip) == ("acme", "ann", "127.0.0.1")
    for _ in range(2):
        assert disconnect.handler(event, None) == {"statusCode": 200}
    assert bootstrap.connections().get("c1", clock.now()) is None


def test_a_socket_without_an_identity_does_not_open(clock: FakeClock) -> None:
    context = authorize.handler(opening(signed()), None)["context"]
    assert connect.handler(frame_event(None, None, "c2"), None) == {"statusCode": 401}
    clock.advance(by=timedelta(hours=2))
    assert connect.handler(frame_event(None, context, "c2"), None) == {"statusCode": 401}
    assert bootstrap.connections().get("c2", clock.now()) is None


def test_a_ticket_of_half_a_minute_ago_opens_nothing(clock: FakeClock) -> None:
    made = ticket()
    clock.advance(31)
    refused(with_ticket(made))


@pytest.mark.parametrize("made", ["unknown", "", "\ud800", "a.b.c"])
@pytest.mark.usefixtures("clock")
def test_an_unknown_ticket_opens_nothing(made: str) -> None:
    refused(with_ticket(made))


@pytest.mark.usefixtures("clock")
def test_a_bad_token_is_not_made_good_by_a_ticket() -> None:
    made = ticket()
    refused({**opening("a.b.c"), "queryStringParameters": {"ticket": made}})
    assert authorize.handler(with_ticket(made), None)["principalId"] == "ann"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "", "post"])
@pytest.mark.usefixtures("clock")
def test_a_ticket_is_asked_for_with_post_alone(method: str) -> None:
    status, body = ask(signed(), method)
    assert (status, body["code"]) == (405, "VALIDATION_ERROR")


@pytest.mark.usefixtures("clock")
def test_every_refusal_reads_the_same() -> None:
    made = ticket()
    answers = [
        ask(None),
        ask("a.b.c"),
        ask(signed(exp=1)),
        ask(signed(secret="another key that is as long as it should be")),
        ask(signed(aud="another")),
        ask(signed(tenant_id="a#b")),
        ask(None, queryStringParameters={"ticket": made}),
        ask(None, queryStringParameters={"token": signed()}),
        ask(None, headers=None),
    ]
    assert {(status, json.dumps(body)) for status, body in answers} == {
        (401, '{"code": "UNAUTHORIZED", "message": "A valid token is required"}')
    }


@pytest.mark.usefixtures("clock")
def test_without_a_method_there_is_no_ticket() -> None:
    assert issue_ticket.handler({}, None)["statusCode"] == 405


@pytest.mark.usefixtures("clock")
def test_an_outage_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Down:
        def issue(self, *_: object) -> str:
            raise Unavailable("secret-table is down", table="secret-table")

    monkeypatch.setattr(bootstrap, "tickets", Down)
    status, body = ask(signed())
    assert (status, body) == (503, {"code": "INTERNAL_ERROR", "message": "Try again later"})
