"""Stream records as emulators really wrote them (tests/kit/record_streams.py), replayed through both readers, twice."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.event_store import EventStore, from_row
from domain.recorded import first_break
from tests.kit.people import connect, watch
from tests.kit.record_streams import EMULATORS, FIXTURES
from tests.kit.sink import Sink, a_sink
from tests.kit.streams import number_of
from tests.kit.views import logs, presence_counts
from tests.kit.world import World, a_world

# Two connected, one left with its subscription; another subscription was given up. The one that the first took with
# it has no record in the recording: nobody projected while it was made.
PRESENCE = {"connected": 2, "disconnected": 1, "subscribed": 3, "unsubscribed": 1}


@pytest.fixture
def sink() -> Iterator[Sink]:
    with a_sink() as made:
        yield made


@pytest.fixture
def world(sink: Sink) -> Iterator[World]:
    with a_world(MANAGEMENT_ENDPOINT=sink.url) as made:
        yield made


def _recorded(emulator: str, table: str) -> list[Any]:
    records: list[Any] = json.loads((FIXTURES / f"{emulator}-{table}.json").read_text())["Records"]
    return records


def _restore_log(world: World, records: list[Any]) -> None:
    store = EventStore(world.aws.dynamodb, world.aws.tables["Events"])
    for record in records:
        store.append(from_row(record["dynamodb"]["NewImage"]))


@pytest.mark.parametrize("emulator", EMULATORS)
def test_a_recording_has_whole_chains_and_numbers_that_rise(world: World, emulator: str) -> None:
    records = _recorded(emulator, "events")
    _restore_log(world, records)

    assert [first_break(log) for log in logs(world.aws).values()] == [None] * 9
    numbers = [number_of(record) for record in records]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("emulator", EMULATORS)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_the_views_of_a_recording_equal_its_log(world: World, emulator: str, seed: int | None) -> None:
    records = _recorded(emulator, "events")
    _restore_log(world, records)
    if seed:
        random.Random(seed).shuffle(records)

    for _ in range(2):
        for start in range(0, len(records), 10):
            assert world.project(records[start : start + 12]) == []

    assert world.differences() == []


@pytest.mark.parametrize("emulator", EMULATORS)
def test_who_came_and_went_in_a_recording_is_counted_once(world: World, emulator: str) -> None:
    for table in ("connections", "subscriptions"):
        for _ in range(2):
            assert world.project(_recorded(emulator, table)) == []

    assert presence_counts(world.aws, "acme") == PRESENCE
    assert world.aws.objects(world.aws.failures_bucket) == {}


@pytest.mark.parametrize("emulator", EMULATORS)
def test_a_recording_is_fanned_out_whole_each_time(world: World, sink: Sink, emulator: str) -> None:
    for name, tenant in (("c-1", "acme"), ("c-2", "zeta")):
        connect(world, name)
        watch(world, name, f"tenant#{tenant}")
    records = _recorded(emulator, "events")

    assert world.notify(records) == []
    once = sink.pushes("c-1"), sink.pushes("c-2")
    assert world.notify(records) == []

    assert (sink.pushes("c-1"), sink.pushes("c-2")) == (once[0] * 2, once[1] * 2)
    ends = {push["request_id"]: push["version"] for pushes in once for push in pushes}
    newest = {r["dynamodb"]["Keys"]["request_id"]["S"]: int(r["dynamodb"]["Keys"]["version"]["N"]) for r in records}
    assert ends == newest


def test_all_emulators_write_the_same_events() -> None:
    for table in ("events", "connections", "subscriptions"):
        images = [[_images(record) for record in _recorded(name, table)] for name in EMULATORS]

        assert all(one == images[0] for one in images)


def _images(record: Any) -> Any:
    return record["eventName"], record["dynamodb"].get("OldImage"), record["dynamodb"].get("NewImage")
