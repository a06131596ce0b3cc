"""A worker gets the best request that is due, and no two workers ever get the same attempt."""

from datetime import timedelta

import pytest

from adapters.request_queue import Claim
from domain.state import Status
from tests.adapters.racing import race
from tests.contracts.asking import Asking
from tests.contracts.backends import Tables
from tests.kit.clock import FakeClock

LEASE = timedelta(seconds=30)


@pytest.fixture
def asking(tables: Tables, clock: FakeClock, name: str) -> Asking:
    """Over a view that has nothing of other tests, for a claim looks at all that is there."""
    for row in tables.rows("Requests"):
        tables.client.delete_item(TableName=tables.names["Requests"], Key={"request_id": row["request_id"]})
    return Asking(tables, clock, name)


def claim(asking: Asking, hint: str | None = None, worker_id: str = "w") -> Claim:
    claimed = asking.queue.claim(hint, worker_id, LEASE)
    assert claimed is not None
    return claimed


class ClaimsContract:
    """What a queue must do over every pair of tables."""

    def test_the_highest_priority_comes_first_and_then_the_oldest(self, asking: Asking) -> None:
        asked = [(priority, asking.ask(priority=priority).request_id) for priority in (0, 5, 9, 5, 9, 1)]
        asking.project()
        wanted = [request_id for _, request_id in sorted(asked, key=lambda entry: -entry[0])]
        got = []
        for n in range(6):
            got.append(claim(asking, worker_id=f"w{n}").head.request_id)
            asking.project()
        assert got == wanted
        assert asking.queue.claim(None, "w", LEASE) is None

    def test_a_claim_starts_an_attempt_with_a_lease(self, asking: Asking) -> None:
        asking.asked(1, payload={"a": 1})
        claimed = claim(asking, worker_id="w7")
        state = claimed.head.state
        assert (state.status, state.attempt, state.worker_id) == (Status.PROCESSING, 1, "w7")
        assert state.lease_until == asking.clock.now() + LEASE
        assert claimed.submitted.payload == {"a": 1}

    def test_a_request_is_not_started_before_it_is_due(self, asking: Asking, clock: FakeClock) -> None:
        hint = asking.asked(1, delay=timedelta(seconds=10))[0]
        assert asking.queue.claim(hint, "w", LEASE) is None
        clock.advance(10)
        assert claim(asking, hint).head.request_id == hint

    def test_an_index_that_is_behind_leads_to_no_second_start(self, asking: Asking) -> None:
        second, first = asking.asked(1, priority=5)[0], asking.asked(1, priority=9)[0]
        assert claim(asking, worker_id="w1").head.request_id == first
        assert claim(asking, worker_id="w2").head.request_id == second
        assert asking.queue.claim(None, "w3", LEASE) is None

    def test_of_many_claimers_of_one_request_exactly_one_wins(self, asking: Asking, tables: Tables) -> None:
        hint = asking.asked(1)[0]
        claimers = [lambda n=n: asking.queue.claim(hint, f"w{n}", LEASE) for n in range(8)]
        won = [one for one in race(claimers, tables.client, before="put_item") if one]
        assert len(won) == 1
        assert asking.queue.get(hint) == won[0].head

    def test_claimers_that_race_for_several_requests_share_them(self, asking: Asking, tables: Tables) -> None:
        hints = asking.asked(3)
        claimers = [lambda n=n: asking.queue.claim(hints[n], f"w{n}", LEASE) for n in range(3)]
        won = race(claimers, tables.client, before="put_item")
        assert sorted(one.head.request_id for one in won if one) == sorted(hints)

    def test_a_place_in_the_queue_is_how_many_go_before(self, asking: Asking, clock: FakeClock) -> None:
        heads = [asking.ask(priority=priority) for priority in (5, 9, 5, 0)]
        waiting = asking.ask(priority=9, delay=timedelta(seconds=60))
        asking.project()
        assert [asking.queue.position(head) for head in heads] == [1, 0, 2, 3]
        assert asking.queue.position(waiting) is None
        clock.advance(60)
        assert asking.queue.position(claim(asking).head) is None

    def test_a_status_lists_its_requests_in_the_order_of_the_queue(self, asking: Asking) -> None:
        made = [asking.ask(priority=priority).request_id for priority in (5, 9, 5, 0)]
        asking.project()
        found: list[str] = []
        cursor: str | None = None
        while cursor is not None or not found:
            page = asking.queue.list_by_status(Status.PENDING, 2, cursor)
            found += [row.request_id for row in page.rows]
            cursor = page.cursor
        assert found == [made[1], made[0], made[2], made[3]]
