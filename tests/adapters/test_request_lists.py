"""Lists are newest first, whole over their pages, and no cursor leads out of the caller's own requests."""

import base64
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.request_queue import RequestQueue
from adapters.request_view import Page, RequestView
from domain import exact_json
from domain.errors import InvalidFrame, Unavailable
from domain.state import Status
from tests.adapters.conftest import Asking
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import START, FakeClock
from tests.kit.tables import Aws


def ids(page: Page) -> list[str]:
    return [row.request_id for row in page.rows]


def ask(asking: Asking, count: int, **asked: object) -> list[str]:
    """The ids of so many new requests that the view shows, newest first."""
    made = [asking.ask(**asked).request_id for _ in range(count)]
    asking.project()
    return made[::-1]


def walk(queue: RequestQueue, tenant_id: str, limit: int, status: Status | None = None) -> list[str]:
    """Every page of a user's list."""
    found: list[str] = []
    cursor = None
    while True:
        page = queue.list_by_user(tenant_id, "ann", limit, cursor, status)
        assert len(page.rows) <= limit
        found += ids(page)
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 200])
def test_pages_add_up_to_the_whole_list_newest_first(asking: Asking, queue: RequestQueue, limit: int) -> None:
    made = ask(asking, 6)
    assert walk(queue, asking.tenant_id, limit) == made


def test_a_list_by_connection_user_and_tenant_has_what_is_theirs(asking: Asking, queue: RequestQueue) -> None:
    by_ann = ask(asking, 2, connection_id=f"c-{asking.tenant_id}")
    by_bob = ask(asking, 1, user_id="bob")
    ask(asking, 1, tenant_id=f"{asking.tenant_id}x")
    assert ids(queue.list_by_connection(f"c-{asking.tenant_id}", 10)) == by_ann
    assert ids(queue.list_by_user(asking.tenant_id, "bob", 10, None, None)) == by_bob
    assert ids(queue.list_by_tenant(asking.tenant_id, 10, None, None)) == by_bob + by_ann


def test_a_row_tells_whose_request_it_is_and_how_it_stands(asking: Asking, queue: RequestQueue) -> None:
    head = asking.ask(connection_id="c1")
    asking.project()
    row = queue.list_by_tenant(asking.tenant_id, 10, None, None).rows[0]
    assert (row.tenant_id, row.user_id, row.connection_id, row.version) == (asking.tenant_id, "ann", "c1", 1)
    assert row.state == head.state


def test_a_status_picks_out_its_requests_over_all_pages(asking: Asking, queue: RequestQueue) -> None:
    heads = [asking.ask() for _ in range(7)]
    for head in heads[::3]:
        queue.cancel(head, "ann", None)
    asking.project()
    cancelled = [head.request_id for head in heads[::3]][::-1]
    assert walk(queue, asking.tenant_id, 2, Status.CANCELLED) == cancelled
    assert walk(queue, asking.tenant_id, 2, Status.FAILED) == []


def test_what_has_expired_is_not_listed(asking: Asking, queue: RequestQueue, clock: FakeClock) -> None:
    made = ask(asking, 2)
    clock.advance(by=timedelta(days=7) - timedelta(seconds=2))
    assert walk(queue, asking.tenant_id, 10) == made
    clock.advance(4)
    assert walk(queue, asking.tenant_id, 10) == []


def test_a_cursor_gives_another_tenant_and_user_nothing_that_is_not_theirs(asking: Asking, queue: RequestQueue) -> None:
    ask(asking, 3)
    other = f"{asking.tenant_id}x"
    theirs = ask(asking, 2, tenant_id=other)
    cursor = queue.list_by_tenant(asking.tenant_id, 1, None, None).cursor
    assert cursor is not None
    assert asking.tenant_id not in base64.urlsafe_b64decode(cursor).decode()
    assert set(ids(queue.list_by_tenant(other, 10, cursor, None))) <= set(theirs)
    own = queue.list_by_user(asking.tenant_id, "ann", 1, None, None).cursor
    assert ids(queue.list_by_user(asking.tenant_id, "bob", 10, own, None)) == []
    assert ids(queue.list_by_user(f"{other}x", "ann", 10, own, None)) == []


def test_a_cursor_cannot_name_another_partition(asking: Asking, queue: RequestQueue, dynamodb: Wrapped) -> None:
    ask(asking, 2)
    other = f"{asking.tenant_id}x"
    ask(asking, 2, tenant_id=other)
    forged = place(
        request_id={"S": "r"},
        submitted_at={"S": "2026-11-22T08:24:41.120Z"},
        tenant_id={"S": asking.tenant_id},
        user_key={"S": f"{asking.tenant_id}#ann"},
    )
    for page in (
        queue.list_by_tenant(other, 10, forged, None),
        queue.list_by_user(other, "ann", 10, forged, None),
    ):
        assert {row.tenant_id for row in page.rows} <= {other}
    starts = [call["ExclusiveStartKey"] for name, call in dynamodb.calls if name == "query"]
    assert [start.get("tenant_id", start.get("user_key")) for start in starts] == [{"S": other}, {"S": f"{other}#ann"}]


def place(**parts: object) -> str:
    """A cursor of one's own making."""
    return base64.urlsafe_b64encode(exact_json.encode(parts).encode()).decode()


JUNK = [
    "",
    "x",
    "null",
    "e30=",
    "\ud800",
    "ü",
    place(request_id={"S": "r1"}),
    place(request_id={"S": ""}, submitted_at={"S": ""}),
    place(request_id={"N": "1"}, submitted_at={"S": "2026-11-22T08:24:41.120Z"}),
    place(request_id={"S": "r1"}, submitted_at={"S": "x" * 1200}),
    place(request_id="r1", submitted_at="s1"),
    base64.urlsafe_b64encode(b'["request_id"]').decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    base64.urlsafe_b64encode(b'{"request_id":{"S":"\\ud800"},"submitted_at":{"S":"a"}}').decode(),
    base64.urlsafe_b64encode(b"[" * 1500).decode(),
]


@pytest.mark.parametrize("cursor", JUNK)
def test_a_cursor_that_was_never_given_out_is_a_validation_error(view: RequestView, cursor: str) -> None:
    with pytest.raises(InvalidFrame):
        view.by_tenant("acme", START, 10, cursor)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda junk: base64.urlsafe_b64encode(junk).decode()))
def test_no_cursor_whatever_raises_anything_else(view: RequestView, cursor: str) -> None:
    with pytest.raises(InvalidFrame):
        view.by_tenant("acme", START, 10, cursor)


def test_keys_that_stay_unread_make_the_view_unavailable(
    asking: Asking, queue: RequestQueue, dynamodb: Wrapped, aws: Aws
) -> None:
    made = ask(asking, 1)
    dynamodb.fail("batch_get_item", client_error("ThrottlingException"))
    with pytest.raises(Unavailable):
        queue.list_by_tenant(asking.tenant_id, 10, None, None)
    dynamodb.fail("query", client_error("ThrottlingException"))
    with pytest.raises(Unavailable):
        queue.list_by_tenant(asking.tenant_id, 10, None, None)
    assert aws.rows("Requests")
    assert ids(queue.list_by_tenant(asking.tenant_id, 10, None, None)) == made
