"""What a watcher can make of the frames: every version is covered, and nothing that matters is left out."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.protocol import EventPush, EventsPush, server_frame
from tests.kit.people import watch
from tests.kit.requests import Requests
from tests.kit.sink import Sink, a_sink
from tests.kit.stories import completed, tell_all
from tests.kit.streams import Record
from tests.kit.views import folded
from tests.kit.world import World, a_world

CONFLATED = {"ProgressReported", "LeaseRenewed"}


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with a_sink() as made:
        yield made


@pytest.fixture
def world(sink: Sink) -> Iterator[World]:
    with a_world(MANAGEMENT_ENDPOINT=sink.url) as made:
        yield made


def _at_work(requests: Requests) -> str:
    request_id = requests.submit()
    requests.start(request_id)
    for number in range(1, 40):
        requests.progress(request_id, number)
        if number % 7 == 0:
            requests.output(request_id, number)
        if number % 11 == 0:
            requests.renew(request_id)
    requests.complete(request_id)
    return request_id


def _split(records: Sequence[Record], places: Sequence[int]) -> list[Sequence[Record]]:
    cuts = [0, *sorted({place % (len(records) + 1) for place in places}), len(records)]
    return [records[start:end] for start, end in pairwise(cuts) if start < end]


def _version(record: Record) -> int:
    return int(record["dynamodb"]["Keys"]["version"]["N"])


def _type(record: Record) -> str:
    return str(record["dynamodb"]["NewImage"]["type"]["S"])


def test_ranges_follow_on_one_another_however_the_log_is_cut_into_batches(world: World, sink: Sink) -> None:
    request_id, names = _at_work(world.requests), count()
    records = world.records()
    lasting = [_version(record) for record in records if _type(record) not in CONFLATED]

    @settings(max_examples=40, deadline=None)
    @given(places=st.lists(st.integers(0, 1000), max_size=6))
    def follow(places: list[int]) -> None:
        batches, name = _split(records, places), f"reader {next(names)}"
        watch(world, name, "tenant#acme")

        for batch in batches:
            assert world.notify(batch) == []
        world.subscriptions.unsubscribe("tenant#acme", name)

        ranges = sink.versions(name, request_id)
        assert [start for start, _ in ranges] == [1, *(end + 1 for _, end in ranges[:-1])]
        assert ranges[-1][1] == len(records)
        shown = [end for _, end in ranges]
        assert set(lasting) <= set(shown)
        assert len(shown) - len(lasting) <= 2 * len(batches)

    follow()


def test_a_frame_is_what_the_protocol_says_and_its_state_is_the_fold(world: World, sink: Sink) -> None:
    watch(world, "protocol", "tenant#acme")
    tell_all(world.requests)

    world.notify(world.records())

    for text in sink.texts("protocol"):
        assert isinstance(server_frame(text), EventPush | EventsPush)
    for push in sink.pushes("protocol"):
        log = world.requests.log(push["request_id"])[: push["version"]]
        assert push["state"]["status"] == folded(log).status
        assert push["event"] == {**log[-1].shown(), "data": push["event"]["data"]}
        assert not {"digest", "worker_id", "lease_until"} & set(push["state"])


def test_a_range_never_covers_what_the_batch_did_not_have(world: World, sink: Sink) -> None:
    watch(world, "lossy", "tenant#acme")
    request_id = completed(world.requests)
    records = world.records()

    world.notify([record for record in records if record["dynamodb"]["Keys"]["version"]["N"] not in ("3", "7")])

    covered = {v for start, end in sink.versions("lossy", request_id) for v in range(start, end + 1)}
    assert not covered & {3, 7}
    assert {1, 2, 9} <= covered


def test_records_out_of_order_and_twice_in_a_batch_make_the_same_frames(world: World, sink: Sink) -> None:
    for name in ("in order", "in disorder"):
        watch(world, name, "tenant#acme")
    completed(world.requests)
    records = world.records()

    world.notify(records)
    world.subscriptions.unsubscribe("tenant#acme", "in order")
    once = sink.texts("in disorder")[:]
    world.notify([*records[::-1], *records])

    assert sink.texts("in disorder") == once * 2
    assert sink.texts("in order") == once


@pytest.mark.parametrize("field", ["state", "data", "version", "request_id"])
def test_a_record_no_code_can_read_is_passed_over(world: World, sink: Sink, field: str) -> None:
    name = f"reader of broken {field}"
    watch(world, name, "tenant#acme")
    request_id = completed(world.requests)
    records = world.records()
    broken: Any = deepcopy(records[4])
    rubbish: Any = {"L": []} if field == "request_id" else {"S": "?"}
    broken["dynamodb"]["NewImage"][field] = rubbish

    bare: Any = {"eventName": "INSERT"}
    assert world.notify([*records[:4], broken, bare, *records[5:]]) == []

    covered = {v for start, end in sink.versions(name, request_id) for v in range(start, end + 1)}
    assert covered == set(range(1, 10)) - {5}


def test_only_appended_events_are_news(world: World, sink: Sink) -> None:
    watch(world, "reader of removals", "tenant#acme")
    completed(world.requests)

    assert world.notify([{**record, "eventName": "MODIFY"} for record in world.records()]) == []

    assert sink.asked("reader of removals") == 0
