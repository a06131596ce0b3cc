"""A worker gets the request whose turn it is, and no two workers ever get the same attempt."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.claims import Claim
from adapters.queue_index import Rotation
from domain.commands import RetryPolicy
from domain.errors import AttemptOver
from domain.events import Failure
from domain.recorded import Head
from domain.state import Status
from projections.intents import Wake
from tests.adapters.racing import race
from tests.contracts.asking import Asking, alone
from tests.contracts.backends import Tables
from tests.kit.clock import FakeClock
from tests.kit.tokens import token

LEASE = timedelta(seconds=30)
BROKEN = Failure(code="X", message="It broke")
NO_WAIT = RetryPolicy(base=timedelta(0))


@pytest.fixture
def asking(tables: Tables, clock: FakeClock, name: str) -> Asking:
    return alone(tables, clock, name)


def claim(asking: Asking, hint: Wake | None = None, worker_id: str = "w") -> Claim:
    claimed = asking.queue.claim(hint, worker_id, LEASE)
    assert claimed is not None
    return claimed


def failed(asking: Asking, running: Head, after_s: int) -> Head:
    """The request after an attempt that is to be followed by another one so much later."""
    after = timedelta(seconds=after_s)
    return asking.queue.fail(running, running.state.attempt, Failure(code="X"), retryable=True, after=after)


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
        assert claimed.put_back is None

    def test_with_nothing_to_do_there_is_no_claim(self, asking: Asking) -> None:
        assert asking.queue.claim(None, "w", LEASE) is None

    def test_a_request_that_is_tried_again_is_claimed_with_what_was_submitted(
        self, asking: Asking, clock: FakeClock
    ) -> None:
        hint = token(failed(asking, claim(asking, token(asking.ask(payload={"a": 1}))).head, after_s=60))
        clock.advance(60)
        claimed = claim(asking, hint)
        assert (claimed.head.state.attempt, claimed.submitted.payload) == (2, {"a": 1})

    def test_a_request_is_not_started_before_it_is_due(self, asking: Asking, clock: FakeClock) -> None:
        hint = token(asking.ask(delay=timedelta(seconds=10)))
        asking.project()
        assert asking.queue.claim(hint, "w", LEASE) is None
        clock.set(hint.turn.due_at - timedelta(milliseconds=1))
        assert asking.queue.claim(hint, "w", LEASE) is None
        clock.set(hint.turn.due_at)
        assert claim(asking, hint).head.request_id == hint.request_id

    def test_the_request_that_the_token_names_counts_before_the_index_shows_it(self, asking: Asking) -> None:
        asking.asked(1, priority=5)
        better = token(asking.ask(priority=6))
        assert claim(asking, better).head.request_id == better.request_id

    def test_a_better_request_in_the_index_goes_before_the_one_that_the_token_names(self, asking: Asking) -> None:
        better = asking.asked(1, priority=9)[0]
        hint = token(asking.ask(priority=5))
        claimed = claim(asking, hint)
        assert (claimed.head.request_id, claimed.put_back) == (better, hint)

    def test_a_ready_request_that_the_index_shows_needs_no_token_of_its_own(self, asking: Asking) -> None:
        better, hint = asking.ask(priority=9), token(asking.ask(priority=5))
        asking.project()
        claimed = claim(asking, hint)
        assert (claimed.head.request_id, claimed.put_back) == (better.request_id, None)

    @pytest.mark.parametrize("retried", [True, False])
    def test_a_waiting_request_whose_turn_it_was_not_keeps_its_token(
        self, asking: Asking, clock: FakeClock, *, retried: bool
    ) -> None:
        head = asking.ask(delay=timedelta(seconds=0 if retried else 60))
        hint = token(failed(asking, claim(asking, token(head)).head, after_s=60) if retried else head)
        clock.advance(61)
        better = asking.ask(priority=9).request_id
        asking.project()
        claimed = claim(asking, hint, "w2")
        assert (claimed.head.request_id, claimed.put_back) == (better, hint)
        assert claim(asking, hint, "w3").head.request_id == hint.request_id

    def test_a_token_of_a_request_that_has_ended_is_not_kept(self, asking: Asking) -> None:
        ended = asking.ask(delay=timedelta(seconds=60))
        asking.queue.cancel(ended, "ann", None)
        asking.asked(1, priority=9)
        assert claim(asking, token(ended)).put_back is None

    def test_an_index_that_is_behind_leads_to_no_second_start(self, asking: Asking) -> None:
        second, first = asking.asked(1, priority=5)[0], asking.asked(1, priority=9)[0]
        assert claim(asking, worker_id="w1").head.request_id == first
        assert claim(asking, worker_id="w2").head.request_id == second
        assert asking.queue.claim(None, "w3", LEASE) is None

    def test_a_repeated_claim_of_one_worker_gives_the_same_attempt(self, asking: Asking) -> None:
        hint = token(asking.ask())
        assert claim(asking, hint, "w1").head == claim(asking, hint, "w1").head
        assert asking.queue.claim(hint, "w2", LEASE) is None

    def test_of_many_claimers_of_one_request_exactly_one_wins(self, asking: Asking, tables: Tables) -> None:
        hint = token(asking.ask())
        asking.project()
        claimers = [lambda n=n: asking.queue.claim(hint, f"w{n}", LEASE) for n in range(16)]
        won = [one for one in race(claimers, tables.client, before="put_item") if one]
        assert len(won) == 1
        assert asking.queue.get(hint.request_id) == won[0].head

    def test_claimers_that_race_for_several_requests_share_them(self, asking: Asking, tables: Tables) -> None:
        hints = [token(asking.ask()) for _ in range(3)]
        asking.project()
        claimers = [lambda n=n: asking.queue.claim(hints[n], f"w{n}", LEASE) for n in range(3)]
        won = race(claimers, tables.client, before="put_item")
        assert sorted(one.head.request_id for one in won if one) == sorted(hint.request_id for hint in hints)

    def test_a_claim_costs_two_reads_and_a_write(self, asking: Asking, tables: Tables) -> None:
        asking = replace(asking, shards=1)
        hint = token(asking.ask())
        asking.asked(5)
        tables.client.calls.clear()
        claim(asking, hint)
        assert [name for name, _ in tables.client.calls] == ["query", "query", "put_item"]


class FairnessContract:
    """What tenants may rely on while others have long queues."""

    def test_tenants_take_turns_and_each_goes_by_its_own_priorities(self, asking: Asking) -> None:
        for tenant_id, priorities in {"a": (9, 9, 9), "b": (0, 5), "c": (1,)}.items():
            for priority in priorities:
                asking.ask(tenant_id=tenant_id, priority=priority)
        asking.project()
        rotation = Rotation()
        turns = [self.tenant_and_priority(asking, rotation) for _ in range(6)]
        order = [tenant_id for tenant_id, _ in turns[:3]]
        assert sorted(order) == ["a", "b", "c"]
        assert [tenant_id for tenant_id, _ in turns[3:]] == [t for t in order if t != "c"] + ["a"]
        assert [priority for tenant_id, priority in turns if tenant_id == "b"] == [5, 0]

    @pytest.mark.parametrize("crowd", ["one", "zero"])  # before and behind the other tenant in the circle
    def test_a_long_queue_delays_nobody_elses_first_request_by_more_than_one(self, asking: Asking, crowd: str) -> None:
        asking.asked(40, tenant_id=crowd, priority=9)
        rotations = [Rotation() for _ in range(3)]
        for _ in range(2):
            assert [self.tenant_and_priority(asking, one)[0] for one in rotations] == [crowd] * 3
        for n, rotation in enumerate(rotations):
            asking.project(asking.ask(tenant_id=f"other{n}", priority=0).request_id)
            assert self.tenant_and_priority(asking, rotation)[0] == f"other{n}"
        assert [self.tenant_and_priority(asking, one)[0] for one in rotations] == [crowd] * 3

    def test_a_worker_goes_round_a_long_queue_of_many_tenants(self, asking: Asking) -> None:
        for n in range(56):
            asking.ask(tenant_id=f"t{n % 28}")
        asking.project()
        rotation = Rotation()
        served = [self.tenant_and_priority(asking, rotation)[0] for _ in range(56)]
        assert [len(set(served[:28])), len(set(served[28:]))] == [28, 28]
        assert asking.queue.claim(None, "another", LEASE, rotation) is None

    def tenant_and_priority(self, asking: Asking, rotation: Rotation) -> tuple[str, int]:
        """Whose request a worker gets next."""
        claimed = asking.queue.claim(None, "w", LEASE, rotation)
        assert claimed is not None
        assert claimed.head.origin is not None
        asking.project(claimed.head.request_id)
        return claimed.head.origin.tenant_id, claimed.head.state.priority


class EndedAttemptsContract:
    """What a queue must do with requests whose attempt failed, was cancelled or lost its worker."""

    def test_a_failed_attempt_is_claimed_again_once_its_wait_is_over(self, asking: Asking, clock: FakeClock) -> None:
        hint = token(failed(asking, claim(asking, token(asking.ask()), "w1").head, after_s=10))
        asking.project()
        assert asking.queue.claim(hint, "w2", LEASE) is None
        clock.advance(10)
        again = claim(asking, hint, "w2").head
        assert (again.state.attempt, again.state.worker_id, again.state.error) == (2, "w2", None)

    @pytest.mark.parametrize(("max_attempts", "retryable"), [(1, True), (3, False)])
    def test_a_request_that_failed_for_good_is_never_claimed_again(
        self, asking: Asking, clock: FakeClock, max_attempts: int, *, retryable: bool
    ) -> None:
        hint = token(asking.ask(max_attempts=max_attempts))
        over = asking.queue.fail(claim(asking, hint).head, 1, BROKEN, retryable=retryable)
        assert (over.state.status, over.state.error) == (Status.FAILED, BROKEN)
        clock.advance(3600)
        for _ in range(2):
            assert asking.queue.claim(hint, "w2", LEASE) is None
            asking.project()
        assert asking.queue.get(hint.request_id) == over

    def test_what_was_cancelled_while_it_waited_is_never_claimed(self, asking: Asking) -> None:
        head = asking.ask()
        asking.project()
        cancelled = asking.queue.cancel(head, "ann", None)
        for _ in range(2):
            assert asking.queue.claim(token(head), "w", LEASE) is None
            asking.project()
        assert asking.queue.get(head.request_id) == cancelled

    def test_what_is_cancelled_while_it_runs_is_its_workers_until_that_has_stopped(self, asking: Asking) -> None:
        hint = token(asking.ask())
        running = claim(asking, hint, "w1").head
        asked = asking.queue.cancel(running, "ann", "enough")
        assert (asked.state.status, asked.state.cancel_requested) == (Status.PROCESSING, True)
        asking.project()
        assert asking.queue.claim(hint, "w2", LEASE) is None
        stopped = asking.queue.acknowledge_cancel(asked, running.state.attempt)
        assert (stopped.state.status, stopped.state.cancel_reason) == (Status.CANCELLED, "enough")
        assert asking.queue.claim(hint, "w2", LEASE) is None

    def test_a_worker_that_was_replaced_can_change_nothing(self, asking: Asking, clock: FakeClock) -> None:
        hint = token(asking.ask())
        lost = claim(asking, hint, "w1").head
        clock.advance(30)
        waiting = asking.queue.expire_lease(lost, NO_WAIT)
        assert waiting.state.status is Status.RETRYING
        again = claim(asking, token(waiting), "w2").head
        reports: list[Callable[[], object]] = [
            lambda: asking.queue.report_progress(lost, 1, 50, None, None),
            lambda: asking.queue.append_output(lost, 1, 0, "late"),
            lambda: asking.queue.renew_lease(lost, 1, LEASE),
            lambda: asking.queue.complete(lost, 1, "late"),
            lambda: asking.queue.fail(lost, 1, BROKEN, retryable=True),
        ]
        for report in reports:
            with pytest.raises(AttemptOver):
                report()
        assert asking.queue.get(hint.request_id) == again
