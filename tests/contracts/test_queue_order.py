"""A status is one list over every tenant by time; a place in the queue is how many of the tenant go before."""

from datetime import timedelta

import pytest

from domain.state import Status
from tests.contracts.asking import Asking, alone
from tests.contracts.backends import Tables
from tests.kit.clock import FakeClock
from tests.kit.tokens import token

LEASE = timedelta(seconds=30)


@pytest.fixture
def asking(tables: Tables, clock: FakeClock, name: str) -> Asking:
    return alone(tables, clock, name)


def in_status(asking: Asking, status: Status, limit: int) -> list[str]:
    """Every page of the requests in a status."""
    found: list[str] = []
    cursor = None
    while True:
        page = asking.queue.list_by_status(status, limit, cursor)
        assert len(page.rows) <= limit
        found += [row.request_id for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return found


class QueueOrderContract:
    """What the StatusIndex of every table must do."""

    @pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 200])
    def test_the_pages_of_a_status_add_up_to_all_of_it_in_the_order_of_time(self, asking: Asking, limit: int) -> None:
        made = [asking.ask(priority=n % 3).request_id for n in range(9)]
        asking.project()
        assert in_status(asking, Status.PENDING, limit) == made

    def test_requests_that_share_their_place_are_all_told(self, asking: Asking, clock: FakeClock) -> None:
        now = clock.now()
        made = []
        for _ in range(5):
            clock.set(now)
            made.append(asking.ask().request_id)
        asking.project()
        for limit in (1, 2, 5):
            assert sorted(in_status(asking, Status.PENDING, limit)) == sorted(made)

    def test_a_request_is_listed_in_the_status_it_has_now(self, asking: Asking) -> None:
        head, other, taken = asking.ask(), asking.ask(), asking.ask(priority=9)
        asking.queue.cancel(head, "ann", None)
        assert asking.queue.claim(token(taken), "w", LEASE) is not None
        asking.project()
        assert in_status(asking, Status.PENDING, 10) == [other.request_id]
        assert in_status(asking, Status.PROCESSING, 10) == [taken.request_id]
        assert in_status(asking, Status.CANCELLED, 10) == [head.request_id]
        assert in_status(asking, Status.FAILED, 10) == []

    def test_a_status_is_a_list_over_every_tenant(self, asking: Asking) -> None:
        made = [asking.ask(tenant_id=f"{asking.tenant_id}-{n}").request_id for n in range(3)]
        asking.project()
        assert in_status(asking, Status.PENDING, 2) == made

    def test_what_has_expired_is_in_no_list(self, asking: Asking, clock: FakeClock) -> None:
        head = asking.ask()
        asking.project()
        clock.set(head.state.expires_at - timedelta(milliseconds=1))
        assert in_status(asking, Status.PENDING, 10) == [head.request_id]
        assert asking.queue.get(head.request_id) == head
        clock.set(head.state.expires_at)
        assert in_status(asking, Status.PENDING, 10) == []
        assert asking.queue.get(head.request_id).version == 0

    def test_the_position_counts_those_that_run_earlier(self, asking: Asking) -> None:
        heads = [asking.ask(priority=priority) for priority in (5, 9, 5, 0)]
        asking.ask(tenant_id=f"{asking.tenant_id}x", priority=9)
        asking.project()
        assert [asking.queue.position(head) for head in heads] == [1, 0, 2, 3]

    def test_what_does_not_wait_its_turn_has_no_position(self, asking: Asking, clock: FakeClock) -> None:
        delayed = asking.ask(priority=9, delay=timedelta(hours=1))
        taken, cancelled = asking.ask(), asking.queue.cancel(asking.ask(), "ann", None)
        asking.project()
        claimed = asking.queue.claim(token(taken), "w", LEASE)
        assert claimed is not None
        clock.advance(60)
        assert [asking.queue.position(head) for head in (delayed, cancelled, claimed.head)] == [None] * 3
