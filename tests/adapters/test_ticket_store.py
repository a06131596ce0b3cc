"""A ticket opens one socket, once, within half a minute; the table that keeps it opens none."""

from datetime import timedelta
from typing import Any

import pytest

from adapters.ticket_store import TICKET_LIFE, TicketStore
from domain.errors import Unauthorized, Unavailable
from domain.identity import Identity
from tests.adapters.racing import race
from tests.adapters.wrapped import Wrapped
from tests.kit.clock import START
from tests.kit.tables import Aws

NOW = START.replace(microsecond=0)
SECOND = timedelta(seconds=1)


@pytest.fixture
def tickets(aws: Aws, dynamodb: Any) -> TicketStore:
    return TicketStore(dynamodb, aws.tables["Tickets"])


@pytest.fixture
def ann() -> Identity:
    return Identity("acme", "ann", frozenset({"tenant:read", "tenant:write"}), NOW + timedelta(hours=1))


def test_a_ticket_stands_for_the_identity_it_was_issued_to_once(tickets: TicketStore, ann: Identity) -> None:
    ticket = tickets.issue(ann, NOW)
    assert tickets.redeem(ticket, NOW) == ann
    with pytest.raises(Unauthorized):
        tickets.redeem(ticket, NOW)


def test_a_ticket_of_half_a_minute_ago_is_worth_nothing(tickets: TicketStore, ann: Identity) -> None:
    assert tickets.redeem(tickets.issue(ann, NOW), NOW + TICKET_LIFE - SECOND) == ann
    with pytest.raises(Unauthorized):
        tickets.redeem(tickets.issue(ann, NOW), NOW + TICKET_LIFE)


@pytest.mark.parametrize("ticket", ["", "x", "a.b.c", "\ud800", "ü" * 3000])
def test_what_was_never_issued_is_refused(tickets: TicketStore, ticket: str) -> None:
    with pytest.raises(Unauthorized):
        tickets.redeem(ticket, NOW)


def test_the_table_holds_no_ticket(tickets: TicketStore, ann: Identity, aws: Aws) -> None:
    ticket = tickets.issue(ann, NOW)
    assert ticket not in str(aws.rows("Tickets"))
    with pytest.raises(Unauthorized):
        tickets.redeem(aws.rows("Tickets")[0]["ticket_hash"]["S"], NOW)


def test_tickets_are_never_alike(tickets: TicketStore, ann: Identity) -> None:
    issued = [tickets.issue(ann, NOW) for _ in range(50)]
    assert len(set(issued)) == 50
    assert min(map(len, issued)) >= 43


def test_of_many_that_redeem_it_at_once_exactly_one_gets_in(
    tickets: TicketStore, ann: Identity, dynamodb: Wrapped
) -> None:
    ticket = tickets.issue(ann, NOW)

    def redeem() -> Identity | None:
        try:
            return tickets.redeem(ticket, NOW)
        except Unauthorized:
            return None

    won = race([redeem] * 8, dynamodb, before="delete_item")
    assert [one for one in won if one] == [ann]


def test_a_store_that_does_not_answer_is_unavailable_and_not_unauthorized(
    tickets: TicketStore, ann: Identity, dynamodb: Wrapped
) -> None:
    dynamodb.lose("put_item")
    with pytest.raises(Unavailable):
        tickets.issue(ann, NOW)
    ticket = tickets.issue(ann, NOW)
    dynamodb.lose("delete_item")
    with pytest.raises(Unavailable):
        tickets.redeem(ticket, NOW)
