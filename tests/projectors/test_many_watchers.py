"""A thousand watchers of one request: each sees every step of its life, and those who stay behind hold up nobody."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from domain.protocol import FRAME_TARGET
from projections.fan_out import project
from tests.kit.people import watch
from tests.kit.sink import HANGS_UP, Sink, a_sink
from tests.kit.world import World, a_world

WATCHERS = 1000


@pytest.fixture
def sink() -> Iterator[Sink]:
    with a_sink() as made:
        yield made


@pytest.fixture
def world(sink: Sink) -> Iterator[World]:
    with a_world(MANAGEMENT_ENDPOINT=sink.url) as made:
        yield made


def _all_watch(world: World, names: Sequence[str], topic: str) -> None:
    """As each would have it, without a call for each."""
    watch(world, "one", topic)
    (row,) = world.aws.rows("Subscriptions")
    world.subscriptions.unsubscribe(topic, "one")
    puts: list[Any] = [{"PutRequest": {"Item": {**row, "connection_id": {"S": name}}}} for name in names]
    for start in range(0, len(puts), 25):
        world.aws.dynamodb.batch_write_item(RequestItems={world.aws.tables["Subscriptions"]: puts[start : start + 25]})


def test_every_one_of_a_thousand_watchers_sees_every_step(world: World, sink: Sink) -> None:
    request_id = world.requests.submit()
    names = [f"c-{number}" for number in range(WATCHERS)]
    _all_watch(world, names, f"request#{request_id}")
    slow = names[::50]
    for place, name in enumerate(slow):
        sink.answer(name, (429, HANGS_UP)[place % 2])
    world.notify(world.records())
    world.requests.start(request_id)
    world.requests.progress(request_id, 40)
    world.notify(world.records())
    world.requests.complete(request_id)
    world.notify(world.records())

    expected = [(version, version) for version in range(1, 5)]
    assert {name for name in names if sink.versions(name, request_id) != expected} == set(slow)
    assert all(sink.texts(name) == [] for name in slow)


def test_those_who_watch_the_same_get_the_very_same_texts(world: World) -> None:
    request_id = world.requests.submit()
    world.requests.start(request_id)
    for number in range(6):
        world.requests.output(request_id, f"{number}" * (FRAME_TARGET // 2 - 2))  # as long as a chunk may be
    groups = [world.requests.log(request_id)]
    topic = f"request#{request_id}"

    sends = project(groups, {topic: [f"c-{number}" for number in range(100)]})

    assert len({id(send.text) for send in sends}) == len(sends) / 100 > 1
