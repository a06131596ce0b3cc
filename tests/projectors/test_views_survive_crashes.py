"""Every call that project_views makes for a batch, and everything that can happen to a call."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.kit.calls import Crash, Fault, answer_lost, at, crash_after, crash_before, refused, sent_twice, watched
from tests.kit.requests import Whose
from tests.kit.streams import Record
from tests.kit.world import World, a_world

FAULTS: Mapping[str, Fault] = {
    "crash before": crash_before,
    "crash after": crash_after,
    "refused": refused,
    "answer lost": answer_lost,
    "sent twice": sent_twice,
}
OPERATIONS = (
    "PutObject",  # the poison record into quarantine
    "BatchGetItem",  # the cursors
    "Query",  # the log of the request whose records were lost
    "BatchWriteItem",  # the audit entries
    "TransactWriteItems",  # the rows of the others, and the counts
    "BatchExecuteStatement",  # the requests that only made progress
    "SendMessageBatch",  # the tokens
)
TABLES = ("Requests", "Audit", "Metrics")


def a_batch(world: World) -> list[Record]:
    """A batch that takes every path at once."""
    requests = world.requests
    moving, going_on, repaired, retrying = (requests.submit(Whose("acme", name)) for name in "adbc")
    requests.start(moving)
    requests.start(going_on)
    requests.start(repaired)
    world.project(world.records())
    world.woken()
    requests.progress(moving, 10)
    requests.progress(moving, 20)
    requests.progress(going_on, 30)
    requests.progress(repaired, 50)
    requests.complete(repaired, {"rows": 3})
    requests.start(retrying)
    requests.fail(retrying)
    requests.cancel(requests.submit(Whose("zeta", "z")))
    requests.submit(Whose("zeta", "z"), "report")
    batch = world.records()
    poison = {**batch[0], "eventName": "MODIFY", "eventID": "poison"}
    lost = next(record for record in batch if record["dynamodb"]["Keys"]["request_id"]["S"] == repaired)
    return [poison, *(record for record in batch if record is not lost)]


def left_behind(world: World) -> dict[str, Any]:
    """All that a delivery leaves behind, in an order of its own."""
    rows = {table: sorted(world.aws.rows(table), key=repr) for table in TABLES}
    return {**rows, "objects": sorted(world.aws.objects(world.aws.failures_bucket)), "woken": world.woken()}


@pytest.fixture(scope="module")
def after_a_clean_run() -> Mapping[str, Any]:
    with a_world() as world:
        assert world.project_all(a_batch(world)) == 1
        assert world.differences() == []
        return left_behind(world)


def test_a_clean_run_makes_these_calls(world: World) -> None:
    batch = a_batch(world)

    with watched() as calls:
        world.project(batch)

    assert tuple(call.operation for call in calls.made) == OPERATIONS


@pytest.mark.parametrize("place", range(len(OPERATIONS)), ids=[f"{n}-{name}" for n, name in enumerate(OPERATIONS)])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_nothing_is_lost_or_counted_twice_whatever_happens_to_a_call(
    world: World, place: int, fault: Fault, after_a_clean_run: Mapping[str, Any]
) -> None:
    batch = a_batch(world)

    with watched(fault, at(place)) as calls:
        try:
            world.project_all(batch)
        except Crash:
            world.project_all(batch)

    assert calls.fired == 1
    assert calls.made[place].operation == OPERATIONS[place]
    assert world.differences() == []
    assert left_behind(world) == after_a_clean_run


@pytest.mark.parametrize("fault", [crash_before, crash_after], ids=["before", "after"])
def test_a_process_that_dies_one_call_further_each_time_ends_where_a_clean_run_does(
    world: World, fault: Fault, after_a_clean_run: Mapping[str, Any]
) -> None:
    batch = a_batch(world)
    crashes = 0

    for place in range(3 * len(OPERATIONS)):
        with watched(fault, at(place)) as calls:
            try:
                world.project_all(batch)
            except Crash:
                crashes += calls.fired
            else:
                break

    assert crashes >= len(OPERATIONS) - 5  # what is done needs no call the next time
    assert world.differences() == []
    assert left_behind(world) == after_a_clean_run
