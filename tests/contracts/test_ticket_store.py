"""A ticket opens one socket, once, within half a minute; the table that keeps it opens none."""

from datetime import timedelta

import pytest

from adapters.ticket_store import TICKET_LIFE, TicketStore
from domain.errors import Unauthorized, Undecodable
from domain.identity import Identity
from tests.adapters.racing import race
from tests.contracts.backends import Tables
from tests.kit.clock import START

NOW = START.replace(microsecond=0)
SECOND = timedelta(seconds=1)
TOLD = ("tenant_id", "user_id", "scopes", "token_ends_at")


@pytest.fixture
def ann() -> Identity:
    return Identity("acme", "ann", frozenset({"tenant:read", "tenant:write"}), NOW + timedelta(hours=1))


class TicketStoreContract:
    """What every ticket store must do."""

    def test_a_ticket_stands_for_the_identity_it_was_issued_to_once(self, tickets: TicketStore, ann: Identity) -> None:
        ticket = tickets.issue(ann, NOW)
        assert tickets.redeem(ticket, NOW) == ann
        with pytest.raises(Unauthorized):
            tickets.redeem(ticket, NOW)

    def test_a_ticket_of_half_a_minute_ago_is_worth_nothing(self, tickets: TicketStore, ann: Identity) -> None:
        assert tickets.redeem(tickets.issue(ann, NOW), NOW + TICKET_LIFE - SECOND) == ann
        with pytest.raises(Unauthorized):
            tickets.redeem(tickets.issue(ann, NOW), NOW + TICKET_LIFE)

    @pytest.mark.parametrize("ticket", ["", "x", "a.b.c", "\ud800", "ü" * 3000])
    def test_what_was_never_issued_is_refused(self, tickets: TicketStore, ticket: str) -> None:
        with pytest.raises(Unauthorized):
            tickets.redeem(ticket, NOW)


class TicketTableContract:
    """What every table of tickets must do."""

    def test_the_table_holds_no_ticket(self, tickets: TicketStore, ann: Identity, tables: Tables) -> None:
        ticket = tickets.issue(ann, NOW)
        rows = tables.rows("Tickets")
        assert ticket not in str(rows)
        for row in rows:
            with pytest.raises(Unauthorized):
                tickets.redeem(row["ticket_hash"]["S"], NOW)

    def test_of_many_that_redeem_it_at_once_exactly_one_gets_in(
        self, tickets: TicketStore, ann: Identity, tables: Tables
    ) -> None:
        ticket = tickets.issue(ann, NOW)

        def redeem() -> Identity | None:
            try:
                return tickets.redeem(ticket, NOW)
            except Unauthorized:
                return None

        won = race([redeem] * 8, tables.client, before="update_item")
        assert [one for one in won if one] == [ann]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *((field, value) for field in TOLD for value in ({"N": "1"}, {"S": "\u00fc"})),
            *((field, {"S": ""}) for field in TOLD if field != "scopes"),
        ],
    )
    def test_an_unreadable_row_lets_nobody_in_and_is_told_by_its_field(
        self, tickets: TicketStore, ann: Identity, tables: Tables, field: str, value: dict[str, str]
    ) -> None:
        before = {row["ticket_hash"]["S"] for row in tables.rows("Tickets")}
        ticket = tickets.issue(ann, NOW)
        (made,) = [row for row in tables.rows("Tickets") if row["ticket_hash"]["S"] not in before]
        tables.client.put_item(TableName=tables.names["Tickets"], Item={**made, field: value})
        with pytest.raises(Undecodable) as caught:
            tickets.redeem(ticket, NOW)
        assert field in caught.value.context["field"]
