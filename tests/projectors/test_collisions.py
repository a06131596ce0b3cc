"""Two readers of the same events, and transactions that collide."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from adapters.backoff import Backoff
from adapters.tenant_views import TenantViews
from adapters.view_writes import unsharded
from tests.kit.calls import Call, Make, each, nth, overtaken_by, watched
from tests.kit.requests import Whose
from tests.kit.streams import number_of
from tests.kit.world import World


def _cancelled(*codes: str) -> Any:
    def fault(call: Call, _: Make) -> Any:
        reasons = [{"Code": code} for code in codes or ("TransactionConflict",)]
        reasons += [{"Code": "None"}] * (len(call.arguments["TransactItems"]) - len(reasons))
        error: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        raise ClientError(error, call.operation)

    return fault


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_a_reader_that_another_one_overtakes_counts_nothing_again(world: World, operation: str) -> None:
    world.requests.cancel(world.requests.submit())
    records = world.records()

    with watched(overtaken_by(lambda: world.project(records)), nth(operation, 0)) as calls:
        assert world.project(records) == []

    assert calls.fired == 1
    assert world.differences() == []


def test_a_reader_overtaken_half_way_adds_the_other_half(world: World) -> None:
    request_id = world.requests.submit()
    first = world.records()
    world.requests.start(request_id)
    world.requests.complete(request_id)
    rest = world.records()

    with watched(overtaken_by(lambda: world.project(first)), nth("BatchGetItem", 0)) as calls:
        assert world.project([*first, *rest]) == []

    assert calls.fired == 1
    assert len(calls.of("TransactWriteItems")) > 1
    assert world.differences() == []


def test_a_plain_update_that_comes_too_late_is_made_up_from_where_the_row_is(world: World) -> None:
    request_id = world.requests.submit()
    world.requests.start(request_id)
    world.project(world.records())
    world.requests.progress(request_id, 10)
    first = world.records()
    world.requests.progress(request_id, 20)
    second = world.records()

    with watched(overtaken_by(lambda: world.project(first)), nth("BatchGetItem", 0)) as calls:
        assert world.project([*first, *second]) == []

    assert calls.fired == 1
    assert world.differences() == []


def test_an_old_plain_update_never_takes_a_row_back(world: World) -> None:
    request_id = world.requests.submit()
    world.requests.start(request_id)
    world.project(world.records())
    world.requests.progress(request_id, 10)
    old = world.records()
    world.requests.progress(request_id, 20)
    both = [*old, *world.records()]

    with watched(overtaken_by(lambda: world.project(both)), nth("BatchGetItem", 0)):
        assert world.project(old) == []

    assert world.differences() == []


@pytest.mark.parametrize("collisions", [1, 4])
def test_a_transaction_that_collides_is_tried_again(world: World, collisions: int) -> None:
    world.requests.submit()
    count = iter(range(100))

    chosen = each("TransactWriteItems")
    with watched(_cancelled(), lambda call: chosen(call) and next(count) < collisions) as calls:
        assert world.project(world.records()) == []

    assert calls.fired == collisions
    assert world.differences() == []


def test_counts_that_collide_move_to_another_copy_of_their_rows_and_are_read_as_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = iter((1, 2, 1))  # by chance it might be the same one each time
    monkeypatch.setattr(Backoff, "choose", lambda *_: next(copy))
    for _ in range(3):
        world.requests.submit()
        with watched(_cancelled(), nth("TransactWriteItems", 0)):
            assert world.project(world.records()) == []

    copies = {row["scope"]["S"] for row in world.aws.rows("Metrics")}
    views = TenantViews(world.aws.dynamodb, world.aws.tables["Audit"], world.aws.tables["Metrics"], "acme")
    start = world.clock.now() - timedelta(hours=1)
    end = start + timedelta(hours=2)
    assert {unsharded(scope) for scope in copies} == {"acme", "acme#delay", "=gauges#acme"}
    assert len(copies) > 3
    assert [row["submitted"] for row in views.metrics(start, end)] == [3]
    assert views.metrics_page(start, end, 1) == ([], world.clock.now().replace(second=0, microsecond=0))
    assert views.gauges() == {"queued": 3, "queued#delay": 3}
    assert world.differences() == []


def test_transactions_that_always_collide_are_reported(world: World) -> None:
    for name in "abc":
        world.requests.submit(Whose("acme", name))
    records = world.records()

    with watched(_cancelled(), each("TransactWriteItems")) as calls:
        reported = world.project(records)

    assert calls.fired > 1
    assert reported == [str(number_of(records[0]))]
    assert world.project(records) == []
    assert world.differences() == []


def test_a_view_that_always_moves_is_reported(world: World) -> None:
    world.requests.submit()
    records = world.records()

    with watched(_cancelled("ConditionalCheckFailed", "TransactionConflict"), each("TransactWriteItems")) as calls:
        reported = world.project(records)

    assert calls.fired > 1
    assert reported == [str(number_of(records[0]))]
    assert world.project(records) == []
    assert world.differences() == []


def test_a_transaction_cancelled_for_another_reason_is_reported_at_once(world: World) -> None:
    world.requests.submit()
    records = world.records()

    with watched(_cancelled("ValidationError"), each("TransactWriteItems")) as calls:
        reported = world.project(records)

    assert calls.fired == 1
    assert reported == [str(number_of(records[0]))]
