"""More than fits into one transaction: 100 items, each row once."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.kit.calls import Call, Calls, watched
from tests.kit.requests import Whose
from tests.kit.world import World

LIMIT = 100


@pytest.fixture
def calls(world: World) -> Iterator[Calls]:  # noqa: ARG001 - watches what the world does
    with watched() as seen:
        yield seen
    _check_limits(seen)


def _check_limits(calls: Calls) -> None:
    """What DynamoDB refuses and moto lets pass: too many items, or one item twice."""
    for call in calls.made:
        assert len(_rows(call)) <= {"TransactWriteItems": LIMIT, "BatchWriteItem": 25, "BatchGetItem": LIMIT}.get(
            call.operation, len(_rows(call))
        )
        assert not [row for row, times in Counter(_rows(call)).items() if times > 1]


def _rows(call: Call) -> list[str]:
    if call.operation == "TransactWriteItems":
        writes = [next(iter(item.values())) for item in call.arguments["TransactItems"]]
        return [f"{write['TableName']} {write.get('Key') or write['Item']}" for write in writes]
    if call.operation == "BatchWriteItem":
        tables = call.arguments["RequestItems"].items()
        return [f"{table} {row}" for table, rows in tables for row in rows]
    if call.operation == "BatchGetItem":
        return [str(key) for wanted in call.arguments["RequestItems"].values() for key in wanted["Keys"]]
    return []


def test_sixty_requests_of_sixty_tenants_in_one_batch(world: World, calls: Calls) -> None:
    for number in range(60):
        request_id = world.requests.submit(Whose(f"tenant-{number}", "ann"))
        world.requests.start(request_id)
        world.requests.progress(request_id, 50)
        world.requests.complete(request_id)

    assert world.project(world.records()) == []

    assert len(calls.of("TransactWriteItems")) == 2
    assert world.differences() == []


def test_a_hundred_and_ten_requests_of_one_tenant_share_their_rows_of_counts(world: World, calls: Calls) -> None:
    for _ in range(110):
        world.requests.submit()

    assert world.project(world.records()) == []

    assert len(calls.of("BatchGetItem")) == 2
    assert len(calls.of("TransactWriteItems")) == 2
    assert world.differences() == []


def test_five_hundred_lost_events_are_made_up_from_the_log_at_once(world: World, calls: Calls) -> None:
    request_id = world.requests.submit()
    world.requests.start(request_id)
    for number in range(248):
        world.requests.output(request_id, f"line {number}")
        world.requests.progress(request_id, (number + 1) / 3)
    world.requests.renew(request_id)
    world.requests.complete(request_id)
    newest = world.records()[-1:]

    assert len(world.requests.log(request_id)) == 500
    assert world.project(newest) == []

    assert len(calls.of("TransactWriteItems")) == 1
    assert world.differences() == []


def test_a_step_without_any_count_follows_those_with_more_than_fit_one_transaction(world: World, calls: Calls) -> None:
    request_id = world.requests.submit(max_attempts=100)
    for _ in range(80):
        world.requests.start(request_id)
        world.requests.fail(request_id)
        world.clock.advance(by=timedelta(minutes=5))
    world.requests.start(request_id)
    for number in range(170):
        world.requests.progress(request_id, (number + 1) / 2)
    others = [world.requests.submit(Whose("acme", name)) for name in "ab"]
    records = world.records()
    lost = [record for record in records if _is_early(record, request_id, 252)]

    assert world.project([record for record in records if record not in lost]) == []

    assert len(calls.of("UpdateItem")) == 1
    assert len(others) == 2
    assert world.differences() == []


def _is_early(record: dict[str, object], request_id: str, version: int) -> bool:
    keys = record["dynamodb"]["Keys"]  # type: ignore[index]
    return bool(keys["request_id"]["S"] == request_id and int(keys["version"]["N"]) < version)


def test_events_hours_apart_touch_more_rows_of_counts_than_events(world: World, calls: Calls) -> None:
    request_id = world.requests.submit(max_attempts=100)
    for _ in range(80):
        world.requests.start(request_id)
        world.requests.fail(request_id)
        world.clock.advance(by=timedelta(minutes=5))

    assert world.project(world.records()[-1:]) == []

    assert len(calls.of("TransactWriteItems")) == 2
    assert world.differences() == []
