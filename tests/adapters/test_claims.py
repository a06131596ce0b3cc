"""A worker gets the best request that is due, and no two workers ever get the same attempt."""

from datetime import timedelta

import pytest

from adapters.request_queue import Claim, RequestQueue
from domain.commands import FailAttempt
from domain.errors import KeyReused, Unavailable
from domain.events import Failure
from domain.recorded import Head
from domain.state import Status
from projections.intents import Wake
from tests.adapters.conftest import Asking
from tests.adapters.racing import race
from tests.adapters.wrapped import Wrapped
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, moto_fixture

aws = moto_fixture()

LEASE = timedelta(seconds=30)


def claim(queue: RequestQueue, hint: str | None = None, worker_id: str = "w") -> Claim:
    claimed = queue.claim(hint, worker_id, LEASE)
    assert claimed is not None
    return claimed


def failed(asking: Asking, head: Head, after_s: int) -> Head:
    """The request after its first attempt, which is to be tried again so much later."""
    running = claim(asking.queue, head.request_id).head
    error = Failure(code="X")
    after = timedelta(seconds=after_s)
    command = FailAttempt(now=asking.clock.now(), attempt=1, error=error, retryable=True, jitter=0, after=after)
    return asking.queue.execute(command, running)


def test_the_highest_priority_comes_first_and_then_the_oldest(asking: Asking, queue: RequestQueue) -> None:
    asked = [(priority, asking.ask(priority=priority).request_id) for priority in (0, 5, 9, 5, 9, 1)]
    asking.project()
    wanted = [request_id for _, request_id in sorted(asked, key=lambda entry: -entry[0])]
    got = []
    for n in range(6):
        got.append(claim(queue, worker_id=f"w{n}").head.request_id)
        asking.project()
    assert got == wanted
    assert queue.claim(None, "w", LEASE) is None


def test_a_claim_starts_an_attempt_with_a_lease_and_hands_over_what_was_asked(
    asking: Asking, queue: RequestQueue
) -> None:
    asking.ask(payload={"a": 1})
    asking.project()
    claimed = claim(queue, worker_id="w7")
    state = claimed.head.state
    assert (state.status, state.attempt, state.worker_id) == (Status.PROCESSING, 1, "w7")
    assert state.lease_until == asking.clock.now() + LEASE
    assert claimed.submitted.payload == {"a": 1}
    assert claimed.put_back is None


def test_with_nothing_to_do_there_is_no_claim(queue: RequestQueue) -> None:
    assert queue.claim(None, "w", LEASE) is None
    assert queue.claim("no such request", "w", LEASE) is None


def test_the_request_that_the_token_names_counts_before_the_index_shows_it(asking: Asking, queue: RequestQueue) -> None:
    head = asking.ask()
    assert claim(queue, head.request_id).head.request_id == head.request_id


def test_a_better_request_in_the_index_goes_before_the_one_that_the_token_names(
    asking: Asking, queue: RequestQueue
) -> None:
    asking.ask(priority=9)
    asking.project()
    hint = asking.ask(priority=5).request_id
    claimed = claim(queue, hint)
    assert claimed.head.request_id != hint
    assert claimed.put_back is not None
    assert claimed.put_back.request_id == hint


def test_a_named_request_of_higher_priority_goes_before_those_in_the_index(asking: Asking, queue: RequestQueue) -> None:
    asking.ask(priority=5)
    asking.project()
    hint = asking.ask(priority=6).request_id
    assert claim(queue, hint).head.request_id == hint


@pytest.mark.parametrize("retried", [True, False])
def test_a_waiting_request_that_was_passed_over_is_put_back(
    asking: Asking, queue: RequestQueue, clock: FakeClock, *, retried: bool
) -> None:
    head = asking.ask(delay=timedelta(seconds=0 if retried else 60))
    hint = failed(asking, head, after_s=60).request_id if retried else head.request_id
    clock.advance(61)
    better = asking.ask(priority=9).request_id
    asking.project()
    claimed = claim(queue, hint, "w2")
    assert claimed.head.request_id == better
    assert claimed.put_back == Wake(hint, clock.now())
    assert claim(queue, hint, "w3").head.request_id == hint


def test_a_request_is_not_started_before_it_is_due(asking: Asking, queue: RequestQueue, clock: FakeClock) -> None:
    hint = asking.ask(delay=timedelta(seconds=10)).request_id
    asking.project()
    assert queue.claim(hint, "w", LEASE) is None
    clock.advance(9.99)
    assert queue.claim(hint, "w", LEASE) is None
    clock.advance(0.01)
    assert claim(queue, hint).head.request_id == hint


def test_a_named_request_that_is_not_due_does_not_stand_in_the_way(asking: Asking, queue: RequestQueue) -> None:
    hint = asking.ask(priority=9, delay=timedelta(seconds=10)).request_id
    ready = asking.ask(priority=0).request_id
    asking.project()
    claimed = claim(queue, hint)
    assert claimed.head.request_id == ready
    assert claimed.put_back == Wake(hint, queue.get(hint).state.due_at)


def test_an_index_that_is_behind_leads_to_no_second_start(asking: Asking, queue: RequestQueue) -> None:
    first, second = asking.ask(priority=9).request_id, asking.ask().request_id
    asking.project()
    assert claim(queue, worker_id="w1").head.request_id == first
    assert claim(queue, worker_id="w2").head.request_id == second
    assert queue.claim(None, "w3", LEASE) is None


def test_a_repeated_claim_of_one_worker_gives_the_same_attempt(asking: Asking, queue: RequestQueue) -> None:
    hint = asking.ask().request_id
    assert claim(queue, hint, "w1").head == claim(queue, hint, "w1").head
    assert queue.claim(hint, "w2", LEASE) is None


def test_a_claim_whose_answer_was_lost_is_the_same_workers_when_it_comes_again(
    asking: Asking, queue: RequestQueue, dynamodb: Wrapped
) -> None:
    hint = asking.ask().request_id
    dynamodb.lose("put_item")
    with pytest.raises(Unavailable):
        queue.claim(hint, "w1", LEASE)
    assert claim(queue, hint, "w1").head.state.attempt == 1


def test_of_many_claimers_of_one_request_exactly_one_wins(
    asking: Asking, queue: RequestQueue, dynamodb: Wrapped
) -> None:
    hint = asking.ask().request_id
    asking.project()
    claimers = [lambda n=n: queue.claim(hint, f"w{n}", LEASE) for n in range(8)]
    won = [one for one in race(claimers, dynamodb, before="put_item") if one]
    assert len(won) == 1
    assert queue.get(hint) == won[0].head


def test_claimers_that_race_for_several_requests_share_them(
    asking: Asking, queue: RequestQueue, dynamodb: Wrapped
) -> None:
    hints = [asking.ask().request_id for _ in range(3)]
    asking.project()
    claimers = [lambda n=n: queue.claim(hints[n], f"w{n}", LEASE) for n in range(3)]
    won = race(claimers, dynamodb, before="put_item")
    assert sorted(one.head.request_id for one in won if one) == sorted(hints)


def test_a_final_request_is_never_claimed_again(asking: Asking, queue: RequestQueue) -> None:
    head = asking.ask()
    asking.project()
    queue.cancel(head, "ann", None)
    assert queue.claim(head.request_id, "w", LEASE) is None


def test_a_log_that_does_not_start_with_a_submission_is_not_run(asking: Asking, queue: RequestQueue, aws: Aws) -> None:
    hint = asking.ask().request_id
    key = {"request_id": {"S": hint}, "version": {"N": "1"}}
    retype = {"#type": "type"}
    value = {":type": {"S": "RequestSubmittedTwice"}}
    aws.dynamodb.update_item(
        TableName=aws.tables["Events"],
        Key=key,
        UpdateExpression="SET #type = :type",
        ExpressionAttributeNames=retype,
        ExpressionAttributeValues=value,
    )
    assert queue.claim(hint, "w", LEASE) is None
    assert queue.get(hint).version == 1


def test_a_request_that_no_code_can_read_holds_up_no_other(asking: Asking, queue: RequestQueue, aws: Aws) -> None:
    broken = [asking.ask(priority=9).request_id for _ in range(5)]
    healthy = asking.ask(priority=0).request_id
    asking.project()
    for request_id in broken:
        aws.dynamodb.update_item(
            TableName=aws.tables["Events"],
            Key={"request_id": {"S": request_id}, "version": {"N": "1"}},
            UpdateExpression="SET #state = :state",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":state": {"S": "not JSON"}},
        )
    assert claim(queue, healthy).head.request_id == healthy
    assert queue.claim(broken[0], "w2", LEASE) is None


def test_each_waiting_request_keeps_a_token_however_the_tokens_come(asking: Asking, queue: RequestQueue) -> None:
    asked = [asking.ask().request_id for _ in range(12)]
    tokens = asked[::-1]
    started = []
    for turn in range(100):
        if not tokens:
            break
        claimed = queue.claim(tokens.pop(0), f"w{turn}", LEASE)
        if claimed:
            started.append(claimed.head.request_id)
            tokens += [claimed.put_back.request_id] if claimed.put_back else []
        if turn % 3 == 0:
            asking.project()
    assert sorted(started) == sorted(asked)


def test_an_expired_request_is_not_there_and_its_key_is_not_used_again(
    asking: Asking, queue: RequestQueue, clock: FakeClock
) -> None:
    head = asking.ask(idempotency_key="weekly")
    clock.advance(7 * 86400)
    assert queue.get(head.request_id).version == 0
    assert queue.claim(head.request_id, "w", LEASE) is None
    with pytest.raises(KeyReused):
        asking.ask(idempotency_key="weekly")
