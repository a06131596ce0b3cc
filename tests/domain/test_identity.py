"""Who may do what: identities, connections and topics."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.connection import opened
from domain.errors import Forbidden, InvalidFrame, InvalidValue, NotFound, Rejected, Unauthorized
from domain.identity import TENANT_READ, TENANT_WRITE, Identity
from domain.subscription import authorized_topic, subscription, topics_of
from tests.strategies import START

HOUR = timedelta(hours=1)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9@._:|+=-]{0,127}", fullmatch=True)


def identity(*scopes: str, tenant: str = "acme", user: str = "ann") -> Identity:
    return Identity(tenant, user, frozenset(scopes), START + HOUR)


@pytest.mark.parametrize("name", ["", "a#b", "a b", "a/b", "é", "a\n", "a" * 129, "{}", "a,b", ".", "..", "-a"])
def test_a_name_that_could_forge_a_key_makes_no_identity(name: str) -> None:
    with pytest.raises(Unauthorized):
        identity(tenant=name)
    with pytest.raises(Unauthorized):
        identity(user=name)


@given(NAMES, NAMES)
def test_everyone_may_watch_their_own(tenant: str, user: str) -> None:
    mine = identity(tenant=tenant, user=user)
    mine.require_access(tenant, user, TENANT_READ)
    topic = topics_of("r-1", tenant, user)[1]
    assert authorized_topic(topic, mine) == topic


def test_a_token_ends_when_it_says() -> None:
    identity().require_alive(START + HOUR - timedelta(milliseconds=1))
    with pytest.raises(Unauthorized):
        identity().require_alive(START + HOUR)


def test_another_tenants_request_is_not_found_whatever_the_scope() -> None:
    with pytest.raises(NotFound):
        identity(TENANT_READ, TENANT_WRITE).require_access("umbrella", "ann", TENANT_READ)


def test_another_users_request_needs_the_scope() -> None:
    with pytest.raises(Forbidden, match="tenant:read"):
        identity(TENANT_WRITE).require_access("acme", "bob", TENANT_READ)
    identity(TENANT_READ).require_access("acme", "bob", TENANT_READ)


@pytest.mark.parametrize(
    ("topic", "scopes", "error"),
    [
        ("user#acme#bob", [], Forbidden),
        ("user#acme#bob", [TENANT_WRITE], Forbidden),
        ("user#umbrella#ann", [TENANT_READ], NotFound),
        ("tenant#acme", [], Forbidden),
        ("tenant#umbrella", [TENANT_READ], NotFound),
        ("tenant#umbrella", [], NotFound),
        ("request#r-1", [TENANT_READ], InvalidFrame),
        ("user#acme", [TENANT_READ], InvalidFrame),
        ("user#acme#ann#x", [TENANT_READ], InvalidFrame),
        ("tenant", [TENANT_READ], InvalidFrame),
        ("", [TENANT_READ], InvalidFrame),
    ],
)
def test_a_topic_is_watched_only_by_whom_it_concerns(topic: str, scopes: list[str], error: type[Rejected]) -> None:
    with pytest.raises(error):
        authorized_topic(topic, identity(*scopes))


@pytest.mark.parametrize(
    ("topic", "scopes"), [("user#acme#ann", []), ("user#acme#bob", [TENANT_READ]), ("tenant#acme", [TENANT_READ])]
)
def test_a_topic_that_concerns_the_caller_is_watched(topic: str, scopes: list[str]) -> None:
    assert authorized_topic(topic, identity(*scopes)) == topic


@pytest.mark.parametrize(
    ("call", "topic", "request_id"),
    [(subscription, "request#r-1", "r-1"), (subscription, "user#acme#ann", None), (subscription, "tenant#acme", None)],
)
def test_a_subscription_names_its_request_if_it_watches_one(
    call: Callable[..., object], topic: str, request_id: str | None
) -> None:
    made = subscription(topic, "c-1", identity(), START)
    assert call is subscription
    assert (made.topic, made.connection_id, made.tenant_id, made.user_id) == (topic, "c-1", "acme", "ann")
    assert (made.created_at, made.expires_at, made.request_id) == (START, START + 24 * HOUR, request_id)


def test_a_requests_events_go_to_its_three_topics() -> None:
    assert topics_of("r-1", "acme", "ann") == ("request#r-1", "user#acme#ann", "tenant#acme")


def test_a_connection_is_its_openers_and_ends_with_the_token() -> None:
    made = opened("c-1", identity(), START, "s" * 100, "u" * 1000)
    assert (made.connection_id, made.tenant_id, made.user_id) == ("c-1", "acme", "ann")
    assert (made.connected_at, made.last_active_at) == (START, START)
    assert (made.ends_at, made.expires_at) == (START + HOUR, START + 24 * HOUR)
    assert (len(made.source_ip), len(made.user_agent)) == (64, 256)


def test_a_connection_ends_where_the_platform_ends_it_however_long_the_token_lives() -> None:
    whole_day = replace(identity(), expires_at=START + 24 * HOUR)
    assert opened("c-1", whole_day, START, "", "").ends_at == START + 2 * HOUR


def test_what_a_header_says_never_keeps_a_socket_from_opening() -> None:
    made = opened("c-1", identity(), START, "\x00", "Mozilla\x1b[1m \ud800\u00e9")
    assert (made.source_ip, made.user_agent) == ("?", "Mozilla?[1m ?\u00e9")


@pytest.mark.parametrize("scope", ["", "tenant:read tenant:write", "a\n", "\u00fc", "x" * 129])
def test_a_scope_that_could_be_read_as_another_is_none(scope: str) -> None:
    with pytest.raises(Unauthorized):
        Identity("acme", "ann", frozenset({scope}), START)


def test_a_token_ends_at_a_time_with_its_zone() -> None:
    with pytest.raises(InvalidValue) as caught:
        Identity("acme", "ann", frozenset(), START.replace(tzinfo=None))
    assert caught.value.context == {"field": "expires_at"}
