"""What project_views answers when it comes only part of the way."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters.items import from_item
from tests.kit.calls import Call, Make, at, each, nth, refused, watched
from tests.kit.requests import Whose
from tests.kit.streams import Record, number_of, renumbered, rest_of
from tests.kit.world import World

REQUESTS = 40  # in two transactions: each tenant has two rows of counts


def _submitted(world: World, requests: int = REQUESTS) -> list[Record]:
    for number in range(requests):
        world.requests.submit(Whose(f"tenant-{number}", "ann"))
    return world.records()


def _seen(world: World) -> dict[str, int]:
    return {row["request_id"]: row["version"] for row in map(from_item, world.aws.rows("Requests"))}


def _behind(world: World, records: Sequence[Record]) -> list[int]:
    """The numbers of the records that the requests view has not seen."""
    seen = _seen(world)
    keys = [(record["dynamodb"]["Keys"], number_of(record)) for record in records]
    return [number for key, number in keys if int(key["version"]["N"]) > seen.get(key["request_id"]["S"], 0)]


@pytest.mark.parametrize("transaction", [0, 1])
def test_the_first_record_that_the_views_have_not_seen_is_reported(world: World, transaction: int) -> None:
    records = _submitted(world)

    with watched(refused, nth("TransactWriteItems", transaction)) as calls:
        reported = world.project(records)

    assert calls.fired == 1
    assert len(_seen(world)) in range(REQUESTS) if transaction else not _seen(world)
    assert reported == [str(min(_behind(world, records)))]
    assert world.woken() == set(_seen(world))
    world.project_all([record for record in records if number_of(record) >= int(reported[0])])
    assert world.differences() == []


def test_what_was_handled_before_the_failure_is_not_delivered_again(world: World) -> None:
    records = _submitted(world)
    with watched(refused, nth("TransactWriteItems", 1)):
        reported = world.project(records)

    with watched() as calls:
        world.project(rest_of(records, {"batchItemFailures": [{"itemIdentifier": reported[0]}]}))

    written = [write for call in calls.of("TransactWriteItems") for write in call.arguments["TransactItems"]]
    assert 0 < len(written) < 3 * REQUESTS


@st.composite
def sequence_numbers(draw: st.DrawFn) -> list[int]:
    """Numbers of 21 to 40 digits, in the order of a shard."""
    lengths = draw(st.lists(st.integers(21, 40), min_size=6, max_size=6))
    numbers = {draw(st.integers(10 ** (length - 1), 10**length - 1)) for length in lengths}
    assume(len(numbers) == len(lengths))
    return sorted(numbers)


def test_the_lowest_number_is_reported_whatever_its_length(world: World) -> None:
    running = [world.requests.submit() for _ in range(6)]
    for request_id in running:
        world.requests.start(request_id)
    world.project(world.records())
    percents = itertools.count(1)

    @settings(max_examples=15, deadline=None)
    @given(numbers=sequence_numbers(), order=st.permutations(range(6)), done=st.integers(0, 5))
    def report(numbers: list[int], order: list[int], done: int) -> None:
        percent = next(percents)
        for request_id in running:
            world.requests.progress(request_id, percent / 10)
        records = renumbered(world.records(), numbers)
        batch = [records[place] for place in order]

        def some(call: Call, _: Make) -> dict[str, object]:
            statements = call.arguments["Statements"]
            if done:
                world.aws.dynamodb.batch_execute_statement(Statements=statements[:done])
            refusal = {"Error": {"Code": "AccessDenied"}}
            return {"Responses": [{}] * done + [refusal] * (len(statements) - done)}

        with watched(some, nth("BatchExecuteStatement", 0)) as calls:
            reported = world.project(batch)

        assert calls.fired == 1
        assert _behind(world, batch) == [number_of(record) for record in batch[done:]]
        assert reported == [str(min(number_of(record) for record in batch[done:]))]
        assert world.project_all(rest_of(batch, {"batchItemFailures": [{"itemIdentifier": reported[0]}]})) == 1
        assert _behind(world, batch) == []

    report()


@pytest.mark.parametrize("operation", ["BatchGetItem", "SendMessageBatch"])
def test_the_whole_batch_is_reported_when_it_was_not_read_or_woke_nobody(world: World, operation: str) -> None:
    records = _submitted(world, 12)
    numbered = renumbered(records, [10**21 + n for n in range(5)] + [10**20 + n for n in range(7)])

    with watched(refused, each(operation)) as calls:
        reported = world.project(numbered)

    assert calls.fired == 1
    assert reported == [str(10**20)]


def test_a_second_batch_of_tokens_that_fails_is_sent_again_with_the_first(world: World) -> None:
    records = _submitted(world, 12)

    with watched(refused, nth("SendMessageBatch", 1)):
        assert world.project(records) == [str(number_of(records[0]))]

    assert len(world.woken()) == 10
    assert world.project(records) == []
    assert len(world.woken()) == 12


def test_a_token_that_the_queue_refuses_is_reported(world: World) -> None:
    records = _submitted(world, 1)

    with watched(lambda _, __: {"Successful": [], "Failed": [{"Id": "0"}]}, each("SendMessageBatch")):
        reported = world.project(records)

    assert reported == [str(number_of(records[0]))]


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_what_stays_unprocessed_is_reported(world: World, operation: str) -> None:
    records = _submitted(world, 1)

    with watched(lambda call, _: _nothing_done(call.arguments["RequestItems"]), each(operation)) as calls:
        reported = world.project(records)

    assert calls.fired > 1
    assert reported == [str(number_of(records[0]))]
    assert world.project(records) == []
    assert world.differences() == []


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_what_is_left_unprocessed_once_is_asked_for_again(world: World, operation: str) -> None:
    records = _submitted(world, 3)

    with watched(lambda call, _: _nothing_done(call.arguments["RequestItems"]), nth(operation, 0)) as calls:
        assert world.project(records) == []

    assert calls.fired == 1
    assert world.differences() == []


def test_a_statement_that_is_throttled_once_is_asked_for_again(world: World) -> None:
    running = [world.requests.submit() for _ in range(3)]
    for request_id in running:
        world.requests.start(request_id)
    world.project(world.records())
    for request_id in running:
        world.requests.progress(request_id, 50)

    def all_but_the_first(call: Call, _: Make) -> dict[str, object]:
        world.aws.dynamodb.batch_execute_statement(Statements=call.arguments["Statements"][:1])
        return {"Responses": [{}, *[{"Error": {"Code": "ThrottlingError"}}] * 2]}

    with watched(all_but_the_first, nth("BatchExecuteStatement", 0)) as calls:
        assert world.project(world.records()) == []

    asked = [len(call.arguments["Statements"]) for call in calls.of("BatchExecuteStatement")]
    assert sorted(asked) == [1, 2, 3]
    assert world.differences() == []


def test_a_failure_of_the_very_first_call_leaves_no_trace(world: World) -> None:
    records = _submitted(world, 3)

    with watched(refused, at(0)):
        world.project(records)

    assert not any(world.aws.rows(table) for table in ("Requests", "Audit", "Metrics"))


def _nothing_done(wanted: object) -> dict[str, object]:
    return {"Responses": {}, "UnprocessedKeys": wanted, "UnprocessedItems": wanted}
