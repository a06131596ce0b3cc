"""The indexes of the requests view: who is in which status, and how many of a tenant's requests are ahead."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from adapters.request_queue import RequestQueue
from domain.errors import InvalidFrame
from domain.state import Status
from tests.adapters.conftest import Asking
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, on_moto


@pytest.fixture
def aws() -> Iterator[Aws]:
    """A stack for each test: a status is one list over every tenant."""
    with on_moto() as made:
        yield made


def in_status(queue: RequestQueue, status: Status, limit: int) -> list[str]:
    """Every page of the requests in a status."""
    found: list[str] = []
    cursor = None
    while True:
        page = queue.list_by_status(status, limit, cursor)
        assert len(page.rows) <= limit
        found += [row.request_id for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 9, 10, 200])
def test_the_pages_of_a_status_add_up_to_the_queue_in_its_order(
    asking: Asking, queue: RequestQueue, limit: int
) -> None:
    made = [asking.ask(priority=n % 3).request_id for n in range(9)]
    asking.project()
    assert in_status(queue, Status.PENDING, limit) == made


def test_requests_that_share_their_place_are_all_told(asking: Asking, queue: RequestQueue, clock: FakeClock) -> None:
    now = clock.now()
    made = []
    for _ in range(5):
        clock.set(now)
        made.append(asking.ask().request_id)
    asking.project()
    for limit in (1, 2, 5):
        assert sorted(in_status(queue, Status.PENDING, limit)) == sorted(made)


def test_a_request_is_listed_in_the_status_it_has_now(asking: Asking, queue: RequestQueue) -> None:
    head = asking.ask()
    other = asking.ask()
    queue.cancel(head, "ann", None)
    asking.project()
    assert in_status(queue, Status.PENDING, 10) == [other.request_id]
    assert in_status(queue, Status.CANCELLED, 10) == [head.request_id]
    assert in_status(queue, Status.FAILED, 10) == []


def test_the_position_counts_those_that_run_earlier(asking: Asking, queue: RequestQueue) -> None:
    low = asking.ask(priority=1)
    first, second = asking.ask(priority=5), asking.ask(priority=5)
    high = asking.ask(priority=9)
    asking.project()
    assert [queue.position(head) for head in (high, first, second, low)] == [0, 1, 2, 3]


def test_what_does_not_wait_its_turn_has_no_position(asking: Asking, queue: RequestQueue) -> None:
    delayed = asking.ask(delay=timedelta(hours=1))
    cancelled = queue.cancel(asking.ask(), "ann", None)
    assert queue.position(delayed) is None
    assert queue.position(cancelled) is None


@pytest.mark.parametrize("cursor", ["", "%", "W10=", "IjEi", "eyJhIjoxfQ=="])
def test_a_cursor_that_was_not_given_out_is_refused(queue: RequestQueue, cursor: str) -> None:
    with pytest.raises(InvalidFrame):
        queue.list_by_status(Status.PENDING, 10, cursor)
