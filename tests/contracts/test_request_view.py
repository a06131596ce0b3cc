"""Lists are newest first and whole over their pages, whatever the table's indexes are kept by."""

import base64
from datetime import timedelta
from typing import Any

import pytest

from adapters.request_view import Page
from domain.errors import Undecodable
from domain.state import Status
from tests.contracts.asking import Asking
from tests.contracts.backends import Tables
from tests.kit.clock import FakeClock


@pytest.fixture
def asking(tables: Tables, clock: FakeClock, name: str) -> Asking:
    return Asking(tables, clock, name)


def ids(page: Page) -> list[str]:
    return [row.request_id for row in page.rows]


def walk(asking: Asking, limit: int, status: Status | None = None) -> list[str]:
    """Every page of a user's list."""
    found: list[str] = []
    cursor = None
    while True:
        page = asking.queue.list_by_user(asking.tenant_id, "ann", limit, cursor, status)
        assert len(page.rows) <= limit
        found += ids(page)
        cursor = page.cursor
        if cursor is None:
            return found


class RequestViewContract:
    """What every table of requests must do."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 200])
    def test_pages_add_up_to_the_whole_list_newest_first(self, asking: Asking, limit: int) -> None:
        made = asking.asked(6)
        assert walk(asking, limit) == made

    def test_a_list_by_connection_user_and_tenant_has_what_is_theirs(self, asking: Asking) -> None:
        by_ann = asking.asked(2, connection_id=f"c-{asking.tenant_id}")
        by_bob = asking.asked(1, user_id="bob")
        asking.asked(1, tenant_id=f"{asking.tenant_id}x")
        assert ids(asking.queue.list_by_connection(f"c-{asking.tenant_id}", 10)) == by_ann
        assert ids(asking.queue.list_by_user(asking.tenant_id, "bob", 10, None, None)) == by_bob
        assert ids(asking.queue.list_by_tenant(asking.tenant_id, 10, None, None)) == by_bob + by_ann

    def test_a_row_tells_whose_request_it_is_and_how_it_stands(self, asking: Asking) -> None:
        head = asking.ask(connection_id="c1")
        asking.project()
        row = asking.queue.list_by_tenant(asking.tenant_id, 10, None, None).rows[0]
        assert (row.tenant_id, row.user_id, row.connection_id, row.version) == (asking.tenant_id, "ann", "c1", 1)
        assert row.state == head.state

    def test_a_status_picks_out_its_requests_over_all_pages(self, asking: Asking) -> None:
        heads = [asking.ask() for _ in range(7)]
        for head in heads[::3]:
            asking.queue.cancel(head, "ann", None)
        asking.project()
        cancelled = [head.request_id for head in heads[::3]][::-1]
        assert walk(asking, 2, Status.CANCELLED) == cancelled
        assert walk(asking, 2, Status.FAILED) == []

    def test_what_has_expired_is_not_listed_and_not_there(self, asking: Asking, clock: FakeClock) -> None:
        head = asking.ask(connection_id=f"c-{asking.tenant_id}")
        asking.project()

        def found() -> list[list[str]]:
            queue = asking.queue
            return [
                walk(asking, 10),
                ids(queue.list_by_tenant(asking.tenant_id, 10, None, None)),
                ids(queue.list_by_connection(f"c-{asking.tenant_id}", 10)),
                [head.request_id] if queue.get(head.request_id).version else [],
            ]

        clock.set(head.state.expires_at - timedelta(milliseconds=1))
        assert found() == [[head.request_id]] * 4
        clock.set(head.state.expires_at)
        assert found() == [[]] * 4

    def test_a_cursor_gives_another_tenant_and_user_nothing_that_is_not_theirs(self, asking: Asking) -> None:
        asking.asked(3)
        other = f"{asking.tenant_id}x"
        theirs = asking.asked(2, tenant_id=other)
        cursor = asking.queue.list_by_tenant(asking.tenant_id, 1, None, None).cursor
        assert cursor is not None
        assert asking.tenant_id not in base64.urlsafe_b64decode(cursor).decode()
        assert set(ids(asking.queue.list_by_tenant(other, 10, cursor, None))) <= set(theirs)
        own = asking.queue.list_by_user(asking.tenant_id, "ann", 1, None, None).cursor
        assert ids(asking.queue.list_by_user(asking.tenant_id, "bob", 10, own, None)) == []
        assert ids(asking.queue.list_by_user(f"{other}x", "ann", 10, own, None)) == []

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *((field, {"BOOL": True}) for field in ("user_id", "version", "state")),
            *(("state", {"S": text}) for text in ("[1]", "{", '{"status":"LOST"}', '{"due_at":"noon"}')),
        ],
    )
    def test_an_unreadable_row_is_told_by_its_field(
        self, asking: Asking, tables: Tables, field: str, value: dict[str, Any]
    ) -> None:
        request_id = asking.asked(1, connection_id=f"c-{asking.tenant_id}")[0]
        tables.client.update_item(
            TableName=tables.names["Requests"],
            Key={"request_id": {"S": request_id}},
            UpdateExpression="SET #field = :value",
            ExpressionAttributeNames={"#field": field},
            ExpressionAttributeValues={":value": value},
        )
        with pytest.raises(Undecodable) as caught:
            asking.queue.list_by_connection(f"c-{asking.tenant_id}", 10)
        assert caught.value.context == {"field": field, "request_id": request_id}
