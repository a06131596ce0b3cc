"""A page of another origin opens no socket and gets no ticket, whatever it has; who names no origin is no browser."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.errors import Rejected
from handlers import authorize, bootstrap
from handlers.origins import require_origin
from local.template import defaults
from tests.handlers.test_authorize import opening, refused
from tests.handlers.test_tickets import ask, ticket, with_ticket
from tests.handlers.tokens import signed
from tests.kit.clock import FakeClock
from tests.kit.tables import CREDENTIALS, Aws, environment_of

ALLOWED = "https://app.example, https://admin.example:8443"
OURS = ("https://app.example", "https://admin.example:8443")
FOREIGN = (
    "https://evil.example",
    "http://app.example",
    "https://app.example.evil.example",
    "https://app.example:8443",
    "https://app.example/",
    "https://app.exampl",
    "https://app.example, https://admin.example:8443",
    "*",
    "null",
    "",
)


@pytest.fixture(autouse=True)
def listed(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stack that pages of two origins may use, at the time that its tokens are of."""
    monkeypatch.setattr(bootstrap, "CLOCK", FakeClock(datetime.now(UTC)))
    with environment_of({**CREDENTIALS, **aws.environment, "ALLOWED_ORIGINS": ALLOWED}):
        yield


def from_page(origin: str, name: str = "Origin", **headers: str) -> dict[str, Any]:
    return opening(headers={**headers, name: origin})


@pytest.mark.parametrize("origin", OURS)
@pytest.mark.parametrize("name", ["Origin", "origin", "ORIGIN"])
def test_a_page_of_an_allowed_origin_opens_a_socket(origin: str, name: str) -> None:
    event = from_page(origin, name, Authorization=f"Bearer {signed()}")
    assert authorize.handler(event, None)["principalId"] == "ann"


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_origin_opens_none_even_with_a_good_token(origin: str) -> None:
    refused(from_page(origin, Authorization=f"Bearer {signed()}"))


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_origin_gets_no_ticket(origin: str) -> None:
    status, body = ask(None, headers={"origin": origin, "authorization": f"Bearer {signed()}"})
    assert (status, body["code"]) == (401, "UNAUTHORIZED")


def test_a_page_of_another_origin_does_not_use_up_the_ticket_that_it_shows() -> None:
    made = ticket()
    refused({**with_ticket(made), "headers": {"Origin": FOREIGN[0]}})
    assert authorize.handler({**with_ticket(made), "headers": {"Origin": OURS[0]}}, None)["principalId"] == "ann"


@pytest.mark.parametrize("headers", [None, {}, {"Authorization": "Bearer x"}])
def test_who_names_no_origin_is_let_by(headers: dict[str, str] | None) -> None:
    require_origin({"headers": headers})


def test_any_origin_is_allowed_unless_it_is_set(aws: Aws) -> None:
    with environment_of({**CREDENTIALS, **aws.environment, "ALLOWED_ORIGINS": defaults()["AllowedOrigins"]}):
        for origin in FOREIGN:
            require_origin({"headers": {"Origin": origin}})


def test_the_reason_is_in_the_log_and_not_the_origin() -> None:
    with pytest.raises(Rejected, match="an origin that is not allowed") as caught:
        require_origin({"headers": {"Origin": FOREIGN[0]}})
    assert FOREIGN[0] not in str(caught.value)
