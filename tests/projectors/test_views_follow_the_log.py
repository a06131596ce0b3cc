import random
from collections.abc import Callable, Mapping, Sequence

import pytest

from tests.kit.requests import Requests, Whose
from tests.kit.stories import STORIES, completed, tell_all
from tests.kit.streams import Record
from tests.kit.world import World

Deliveries = Sequence[Sequence[Record]]


def _shuffled(records: Sequence[Record], seed: int) -> list[Record]:
    return random.Random(seed).sample(records, len(records))


def _newest_of_each(records: Sequence[Record]) -> list[Record]:
    return list({record["dynamodb"]["Keys"]["request_id"]["S"]: record for record in records}.values())


DELIVERIES: Mapping[str, Callable[[Sequence[Record]], Deliveries]] = {
    "once": lambda records: [records],
    "twice": lambda records: [records, records],
    "one record at a time": lambda records: [[record] for record in records],
    "one record at a time, each twice": lambda records: [[record] for record in records for _ in range(2)],
    "reversed within a batch": lambda records: [records[::-1]],
    "reversed, one record at a time": lambda records: [[record] for record in records[::-1]],
    "shuffled within a batch": lambda records: [_shuffled(records, 1), _shuffled(records, 2)],
    "shuffled, three at a time": lambda records: [_shuffled(records, 3)[n : n + 3] for n in range(0, len(records), 3)],
    "in overlapping batches": lambda records: [records[n : n + 10] for n in range(0, len(records), 4)],
    "each record twice in one batch": lambda records: [[record for record in records for _ in range(2)]],
    "only the newest record of each request": lambda records: [_newest_of_each(records)],
    "the newest record of each request, then the lost ones": lambda records: [_newest_of_each(records), records],
    "every other record lost, then the newest": lambda records: [records[::2], _newest_of_each(records)],
}


@pytest.mark.parametrize("deliveries", DELIVERIES.values(), ids=DELIVERIES.keys())
def test_the_views_equal_the_log_however_it_is_delivered(
    world: World, deliveries: Callable[[Sequence[Record]], Deliveries]
) -> None:
    tell_all(world.requests)

    for batch in deliveries(world.records()):
        assert world.project(batch) == []

    assert world.differences() == []


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_one_request_is_followed_event_by_event_and_delivered_twice(
    world: World, story: Callable[[Requests], str]
) -> None:
    story(world.requests)

    for record in world.records() * 2:
        world.project([record])

    assert world.differences() == []


def test_the_counts_are_those_of_the_story(world: World) -> None:
    completed(world.requests)
    world.project(world.records())

    by_scope = {row["scope"]["S"]: row for row in world.aws.rows("Metrics")}

    assert set(by_scope) == {"acme", "acme#report"}
    counts = {name: value["N"] for name, value in by_scope["acme#report"].items() if name not in ("scope", "minute")}
    assert counts == {
        "submitted": "1",
        "started": "1",
        "outputs": "2",
        "completed": "1",
        "messages": "9",
        "wait_ms_sum": "125",
        "wait_ms_le_128": "1",
        "run_ms_sum": "875",
        "run_ms_le_1024": "1",
        "expires_at": counts["expires_at"],
    }


def test_tenants_are_counted_apart(world: World) -> None:
    for tenant, times in (("acme", 3), ("zeta", 2)):
        for _ in range(times):
            world.requests.submit(Whose(tenant, "ann"), "report")

    world.project(world.records())

    counts = {row["scope"]["S"]: row["submitted"]["N"] for row in world.aws.rows("Metrics") if "submitted" in row}
    assert counts == {"acme": "3", "acme#report": "3", "zeta": "2", "zeta#report": "2"}


def test_a_late_replay_of_old_records_changes_nothing_and_wakes_nobody(world: World) -> None:
    completed(world.requests)
    records = world.records()
    world.project(records)
    assert world.woken() == set()

    world.project(records[:1])
    world.project(records[:4])

    assert world.differences() == []
    assert world.woken() == set()


def test_every_request_that_waits_for_a_worker_gets_a_token(world: World) -> None:
    told = tell_all(world.requests)

    world.project(world.records())

    assert world.woken() == {told["waiting"], told["retrying"], told["delayed"]}


def test_a_token_is_sent_again_when_its_record_comes_again(world: World) -> None:
    request_id = world.requests.submit()
    records = world.records()

    for _ in range(2):
        world.project(records)
        assert world.woken() == {request_id}


def test_what_was_read_from_the_log_is_not_read_again(world: World) -> None:
    completed(world.requests)
    records = world.records()
    world.project(records[-1:])

    world.requests.cancel(world.requests.submit())
    world.project(world.records())

    assert world.differences() == []
