"""Tickets cannot be guessed, and a store that fails is not taken for one that refuses; the rest is their contract."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.ticket_store import TicketStore
from domain.errors import Unauthorized, Unavailable
from domain.identity import Identity
from tests.adapters.wrapped import Wrapped
from tests.kit.clock import START
from tests.kit.tables import Aws

NOW = START.replace(microsecond=0)


@pytest.fixture
def tickets(aws: Aws, dynamodb: Any) -> TicketStore:
    return TicketStore(dynamodb, aws.tables["Tickets"])


@pytest.fixture
def ann() -> Identity:
    return Identity("acme", "ann", frozenset({"tenant:read", "tenant:write"}), NOW + timedelta(hours=1))


def test_tickets_are_never_alike(tickets: TicketStore, ann: Identity) -> None:
    issued = [tickets.issue(ann, NOW) for _ in range(50)]
    assert len(set(issued)) == 50
    assert min(map(len, issued)) >= 43


def test_a_store_that_does_not_answer_is_unavailable_and_not_unauthorized(
    tickets: TicketStore, ann: Identity, dynamodb: Wrapped
) -> None:
    dynamodb.lose("put_item")
    with pytest.raises(Unavailable):
        tickets.issue(ann, NOW)
    ticket = tickets.issue(ann, NOW)
    dynamodb.lose("update_item")
    with pytest.raises(Unavailable):
        tickets.redeem(ticket, NOW)


def test_a_ticket_whose_use_the_sdk_tells_twice_lets_its_user_in_once(
    tickets: TicketStore, ann: Identity, dynamodb: Wrapped
) -> None:
    ticket = tickets.issue(ann, NOW)
    dynamodb.resend("update_item")
    assert tickets.redeem(ticket, NOW) == ann
    with pytest.raises(Unauthorized):
        tickets.redeem(ticket, NOW)
