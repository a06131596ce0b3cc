"""What a claim does when calls fail, writers meet and logs are damaged; tests/contracts has what it does otherwise."""

from datetime import timedelta

import pytest

from adapters import claims
from adapters.claims import Claim
from adapters.request_queue import RequestQueue
from domain.errors import KeyReused, Unavailable
from projections.intents import Wake
from tests.adapters.conftest import Asking
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, moto_fixture
from tests.kit.tokens import token

aws = moto_fixture()

LEASE = timedelta(seconds=30)


def claim(queue: RequestQueue, hint: Wake | None = None, worker_id: str = "w") -> Claim:
    claimed = queue.claim(hint, worker_id, LEASE)
    assert claimed is not None
    return claimed


def spoil(aws: Aws, hint: Wake) -> None:
    """Damage the log of a request."""
    aws.dynamodb.update_item(
        TableName=aws.tables["Events"],
        Key={"request_id": {"S": hint.request_id}, "version": {"N": "1"}},
        UpdateExpression="SET #state = :state",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": "not JSON"}},
    )


def test_a_named_request_that_is_not_due_does_not_stand_in_the_way(asking: Asking, queue: RequestQueue) -> None:
    hint = token(asking.ask(priority=9, delay=timedelta(seconds=10)))
    ready = asking.ask(priority=0).request_id
    asking.project()
    claimed = claim(queue, hint)
    assert claimed.head.request_id == ready
    assert claimed.put_back == hint


def test_a_claim_whose_answer_was_lost_is_the_same_workers_when_it_comes_again(
    asking: Asking, queue: RequestQueue, dynamodb: Wrapped
) -> None:
    hint = token(asking.ask())
    dynamodb.lose("put_item")
    with pytest.raises(Unavailable):
        queue.claim(hint, "w1", LEASE)
    assert claim(queue, hint, "w1").head.state.attempt == 1


def test_a_final_request_is_never_claimed_again(asking: Asking, queue: RequestQueue) -> None:
    head = asking.ask()
    asking.project()
    queue.cancel(head, "ann", None)
    assert queue.claim(token(head), "w", LEASE) is None


def test_a_log_that_does_not_start_with_a_submission_is_not_run(asking: Asking, queue: RequestQueue, aws: Aws) -> None:
    hint = token(asking.ask())
    aws.dynamodb.update_item(
        TableName=aws.tables["Events"],
        Key={"request_id": {"S": hint.request_id}, "version": {"N": "1"}},
        UpdateExpression="SET #type = :type",
        ExpressionAttributeNames={"#type": "type"},
        ExpressionAttributeValues={":type": {"S": "RequestSubmittedTwice"}},
    )
    assert queue.claim(hint, "w", LEASE) is None
    assert queue.get(hint.request_id).version == 1


def test_a_request_that_no_code_can_read_holds_up_no_other(asking: Asking, queue: RequestQueue, aws: Aws) -> None:
    broken = [token(asking.ask(priority=9)) for _ in range(5)]
    healthy = token(asking.ask(priority=0))
    asking.project()
    for hint in broken:
        spoil(aws, hint)
    assert claim(queue, healthy).head.request_id == healthy.request_id
    assert queue.claim(broken[0], "w2", LEASE) is None


def test_each_waiting_request_keeps_a_token_however_the_tokens_come(asking: Asking, queue: RequestQueue) -> None:
    asked = [token(asking.ask()) for _ in range(12)]
    tokens = asked[::-1]
    started = []
    for turn in range(100):
        if not tokens:
            break
        claimed = queue.claim(tokens.pop(0), f"w{turn}", LEASE)
        if claimed:
            started.append(claimed.head.request_id)
            tokens += [claimed.put_back] if claimed.put_back else []
        if turn % 3 == 0:
            asking.project()
    assert sorted(started) == sorted(hint.request_id for hint in asked)


def test_no_token_is_spent_for_nothing_however_far_the_index_is_behind(
    asking: Asking, queue: RequestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_CANDIDATES", 5)
    asked = [token(asking.ask()) for _ in range(12)]
    asking.project()  # from here on the index shows all of them as ready, also those that run
    started = [claim(queue, hint, f"w{turn}").head.request_id for turn, hint in enumerate(asked)]
    assert sorted(started) == sorted(hint.request_id for hint in asked)
    assert queue.claim(asked[0], "late", LEASE) is None


def test_requests_that_no_code_can_read_hold_up_no_other_tenant_however_many_they_are(
    asking: Asking, queue: RequestQueue, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_CANDIDATES", 5)
    for hint in [token(asking.ask(priority=9)) for _ in range(6)]:
        spoil(aws, hint)
    for tenant_id in ("before", "behind"):  # wherever the first tenant's place is in the circle
        other = token(asking.ask(tenant_id=tenant_id))
        asking.project()
        assert claim(queue, other).head.request_id == other.request_id


def test_what_was_started_is_run_also_when_nobody_can_look_after_the_token_that_was_passed_over(
    asking: Asking, queue: RequestQueue, dynamodb: Wrapped
) -> None:
    later = token(asking.ask(priority=0, delay=timedelta(seconds=10)))
    first = token(asking.ask(priority=9))
    asking.project()
    dynamodb.first("put_item", lambda: dynamodb.fail("query", client_error("ProvisionedThroughputExceededException")))
    claimed = claim(queue, later)
    assert (claimed.head.request_id, claimed.put_back) == (first.request_id, later)


def test_an_expired_request_is_not_there_and_its_key_is_not_used_again(
    asking: Asking, queue: RequestQueue, clock: FakeClock
) -> None:
    head = asking.ask(idempotency_key="weekly")
    clock.advance(7 * 86400)
    assert queue.get(head.request_id).version == 0
    assert queue.claim(token(head), "w", LEASE) is None
    with pytest.raises(KeyReused):
        asking.ask(idempotency_key="weekly")
