"""No cursor leads out of the caller's own requests, and a view that cannot be read says so; the rest is a contract."""

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.request_queue import RequestQueue
from adapters.request_view import Page, RequestView
from domain import exact_json
from domain.errors import InvalidValue, Unavailable
from tests.adapters.conftest import Asking
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import START
from tests.kit.tables import Aws


def ids(page: Page) -> list[str]:
    return [row.request_id for row in page.rows]


def ask(asking: Asking, count: int, **asked: object) -> list[str]:
    """The ids of so many new requests that the view shows, newest first."""
    made = [asking.ask(**asked).request_id for _ in range(count)]
    asking.project()
    return made[::-1]


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
    with pytest.raises(InvalidValue):
        view.by_tenant("acme", START, 10, cursor)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda junk: base64.urlsafe_b64encode(junk).decode()))
def test_no_cursor_whatever_raises_anything_else(view: RequestView, cursor: str) -> None:
    with pytest.raises(InvalidValue):
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
