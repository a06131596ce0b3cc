"""A tenant has no more requests running than it may, however workers race, and no slot is lost."""

from datetime import timedelta

import pytest

from adapters.claims import Claim
from adapters.tenant_slots import TenantSlots
from domain.commands import DEFAULT_RETRY
from domain.errors import Unavailable
from domain.events import Failure
from domain.recorded import Head
from domain.state import Status
from projections.intents import Wake
from tests.adapters.racing import race
from tests.contracts.asking import Asking
from tests.contracts.backends import Tables
from tests.kit.clock import FakeClock
from tests.kit.tokens import token

LEASE = timedelta(seconds=30)
LIMIT = 2


@pytest.fixture
def slots(tables: Tables) -> TenantSlots:
    return TenantSlots(tables.client, tables.names["Limits"], tables.names["Events"], LIMIT)


@pytest.fixture
def asking(tables: Tables, clock: FakeClock, name: str, slots: TenantSlots) -> Asking:
    for row in tables.rows("Requests"):
        tables.client.delete_item(TableName=tables.names["Requests"], Key={"request_id": row["request_id"]})
    return Asking(tables, clock, name, slots)


def claim(asking: Asking, worker_id: str = "w") -> Claim:
    claimed = asking.queue.claim(None, worker_id, LEASE)
    assert claimed is not None
    return claimed


def completed(asking: Asking, head: Head) -> Head:
    return asking.queue.complete(head, head.state.attempt, "done")


class TenantSlotsContract:
    """What a limit on the running requests of a tenant must hold on every backend."""

    def test_as_many_run_as_may_and_the_next_one_when_a_slot_is_free(self, asking: Asking, slots: TenantSlots) -> None:
        asking.asked(3)
        first, second = claim(asking, "w1").head, claim(asking, "w2").head
        assert asking.queue.claim(None, "w3", LEASE) is None
        assert slots.taken(asking.tenant_id) == {first.request_id, second.request_id}
        completed(asking, first)
        assert claim(asking, "w3").head.request_id not in {first.request_id, second.request_id}

    def test_a_full_tenant_stands_in_nobodys_way(self, asking: Asking) -> None:
        asking.asked(40, priority=9)
        other = asking.asked(1, tenant_id=f"{asking.tenant_id}x")[0]
        claims = [claim(asking, f"w{n}") for n in range(LIMIT + 1)]
        assert other in {one.head.request_id for one in claims}
        assert asking.queue.claim(None, "w", LEASE) is None

    def test_of_many_racing_workers_as_many_win_as_there_are_slots(self, asking: Asking, tables: Tables) -> None:
        hints = [token(asking.ask()) for _ in range(8)]
        asking.project()
        claimers = [lambda n=n: self.patient_claim(asking, n, hints[n % 8]) for n in range(16)]
        won = [one for one in race(claimers, tables.client, before="query") if one]
        assert len(won) == len({one.head.request_id for one in won}) == LIMIT

    @pytest.mark.parametrize("end", ["completed", "failed", "tried again", "cancelled", "lost"])
    def test_however_an_attempt_ends_its_slot_is_free(
        self, asking: Asking, slots: TenantSlots, clock: FakeClock, end: str
    ) -> None:
        asking.asked(1)
        head, error = claim(asking).head, Failure(code="X")
        match end:
            case "completed":
                completed(asking, head)
            case "failed" | "tried again":
                asking.queue.fail(head, 1, error, retryable=end == "tried again", after=timedelta(seconds=1))
            case "cancelled":
                asking.queue.acknowledge_cancel(asking.queue.cancel(head, "ann", None), 1)
            case _:
                clock.advance(by=LEASE)
                asking.queue.expire_lease(head, DEFAULT_RETRY)
        assert slots.taken(asking.tenant_id) == frozenset()

    def test_a_request_keeps_its_slot_while_it_runs(self, asking: Asking, slots: TenantSlots) -> None:
        asking.asked(1)
        head = claim(asking).head
        head = asking.queue.report_progress(head, 1, 10, None, None)
        head = asking.queue.cancel(asking.queue.renew_lease(head, 1, LEASE), "ann", None)
        assert slots.taken(asking.tenant_id) == {head.request_id}

    def test_a_start_whose_answer_was_lost_takes_one_slot(
        self, asking: Asking, slots: TenantSlots, tables: Tables
    ) -> None:
        hint = token(asking.ask())
        tables.client.lose("transact_write_items")
        with pytest.raises(Unavailable):
            asking.queue.claim(hint, "w1", LEASE)
        again = asking.queue.claim(hint, "w1", LEASE)
        assert again is not None
        assert again.head.state.attempt == 1
        assert slots.taken(asking.tenant_id) == {hint.request_id}

    def test_an_end_whose_answer_was_lost_frees_the_slot_once(
        self, asking: Asking, slots: TenantSlots, tables: Tables
    ) -> None:
        asking.asked(1)
        head = claim(asking).head
        tables.client.lose("transact_write_items")
        with pytest.raises(Unavailable):
            completed(asking, head)
        assert asking.queue.get(head.request_id).state.status is Status.COMPLETED
        assert slots.taken(asking.tenant_id) == frozenset()

    def test_the_slot_of_a_request_that_does_not_run_is_freed(self, asking: Asking, slots: TenantSlots) -> None:
        asking.asked(LIMIT)
        running, ended = claim(asking, "w1").head, claim(asking, "w2").head
        self.without_a_limit(asking, ended)
        assert len(slots.taken(asking.tenant_id)) == LIMIT
        assert asking.queue.free_stale_slots(asking.tenant_id) == 1
        assert slots.taken(asking.tenant_id) == {running.request_id}
        assert asking.queue.free_stale_slots(asking.tenant_id) == 0

    def test_a_request_that_started_meanwhile_keeps_its_slot(self, asking: Asking, slots: TenantSlots) -> None:
        before = asking.ask()
        asking.project()
        started = claim(asking).head
        assert not slots.give_back(asking.tenant_id, before)
        assert slots.taken(asking.tenant_id) == {started.request_id}

    def test_the_free_slot_goes_to_the_best_that_may_run(self, asking: Asking, clock: FakeClock) -> None:
        later = asking.ask(delay=timedelta(seconds=60))
        asking.project()
        assert asking.queue.next_of(asking.tenant_id) is None
        clock.advance(60)
        assert asking.queue.next_of(asking.tenant_id) == token(later)
        ready = [asking.ask(priority=priority) for priority in (1, 9)]
        asking.project()
        assert asking.queue.next_of(asking.tenant_id) == token(ready[1])

    def patient_claim(self, asking: Asking, number: int, hint: Wake) -> Claim | None:
        """A worker's claim; transactions on one row that collide too often are an outage, and the token comes again."""
        while True:
            try:
                return asking.queue.claim(hint, f"w{number}", LEASE)
            except Unavailable:
                continue

    def without_a_limit(self, asking: Asking, head: Head) -> None:
        """End a request while there is no limit, so that its slot stays taken."""
        completed(Asking(asking.tables, asking.clock, asking.tenant_id), head)
