"""Many posts at once: each connection's in order, and nobody waits for those who stay behind."""

import asyncio
from collections.abc import Iterator

import pytest
from botocore.credentials import ReadOnlyCredentials

from adapters.broadcast import MANY, MORE_PAUSES_S, PAUSES_S, Broadcast
from adapters.signatures import Signer
from tests.kit.clock import FakeClock
from tests.kit.sink import HANGS_UP, Sink, a_sink

FOR_EVER = 1e9
ROUNDS = 1 + len(PAUSES_S)
KEYS = ReadOnlyCredentials("AKID", "s3cr3t", None)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with a_sink() as made:
        yield made


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def broadcast(sink: Sink, pauses: list[float]) -> Iterator[Broadcast]:
    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.sleep(0)

    made = Broadcast(Signer(sink.url, "eu-west-1", lambda: KEYS), FakeClock(), pause)
    yield made
    made.close()


def test_frames_come_whole_and_in_order(broadcast: Broadcast, sink: Sink, pauses: list[float]) -> None:
    frames = {f"c{n}=": [f"{n}.{place}é" for place in range(5)] for n in range(200)}

    queues = broadcast.post(frames, FOR_EVER)

    assert {name: sink.texts(name) for name in frames} == frames
    assert {(queue.sent, queue.left) for queue in queues} == {(5, 0)}
    assert pauses == []


def test_what_fails_for_a_moment_goes_on_there(broadcast: Broadcast, sink: Sink, pauses: list[float]) -> None:
    sink.answer("c", 200, 429, 500, 200)

    (queue,) = broadcast.post({"c": ["1", "2", "3"]}, FOR_EVER)

    assert (sink.texts("c"), queue.left) == (["1", "2", "3"], 0)
    assert pauses == [0.05, 0.1]


@pytest.mark.parametrize("status", [429, 500, 503, HANGS_UP])
def test_one_that_stays_behind_gets_a_few_rounds_and_from_then_on_one(
    broadcast: Broadcast, sink: Sink, pauses: list[float], status: int
) -> None:
    sink.answer("slow", status)
    everyone = {"slow": ["x", "y"], **{f"c{n}": ["x"] for n in range(30)}}

    first = broadcast.post(everyone, FOR_EVER)
    assert (first[0].left, len(pauses), len(sink.texts("c29"))) == (2, len(PAUSES_S), 1)
    asked = sink.asked("slow")
    pauses.clear()
    broadcast.post(everyone, FOR_EVER)
    assert pauses == []
    assert sink.asked("slow") - asked <= asked / 2

    sink.answer("slow", 200, 429, 200)
    broadcast.post({"slow": ["a"]}, FOR_EVER)
    broadcast.post({"slow": ["b"]}, FOR_EVER)
    assert sink.texts("slow") == ["a", "b"]  # it takes frames again, so it gets all rounds again


@pytest.mark.parametrize(("status", "rounds"), [(429, ROUNDS + len(MORE_PAUSES_S)), (500, ROUNDS)])
def test_when_most_are_throttled_it_is_the_account_that_is(
    broadcast: Broadcast, sink: Sink, pauses: list[float], status: int, rounds: int
) -> None:
    names = [f"c{n}" for n in range(2 * MANY)]
    for name in names[: MANY + 1]:
        sink.answer(name, status)

    queues = broadcast.post({name: ["x"] for name in names}, FOR_EVER)

    assert sum(queue.left for queue in queues) == MANY + 1
    assert {sink.asked(name) for name in names[: MANY + 1]} == {rounds}
    assert len(pauses) == rounds - 1


@pytest.mark.parametrize("status", [400, 403, 410, 413])
def test_what_is_refused_for_good_is_not_posted_again(
    broadcast: Broadcast, sink: Sink, pauses: list[float], status: int
) -> None:
    sink.answer("c", status)

    (queue,) = broadcast.post({"c": ["1", "2"]}, FOR_EVER)

    assert (queue.sent, queue.left, queue.gone) == (0, 2, status == 410)
    assert (sink.asked("c"), pauses) == (1, [])


def test_no_post_begins_after_its_time(broadcast: Broadcast, sink: Sink) -> None:
    (queue,) = broadcast.post({"c": ["1"]}, -1.0)
    assert (queue.left, sink.asked("c")) == (1, 0)


def test_there_is_no_pause_that_ends_after_the_time_of_posting(sink: Sink) -> None:
    clock = FakeClock()

    async def pause(seconds: float) -> None:
        clock.advance(seconds)

    broadcast = Broadcast(Signer(sink.url, "eu-west-1", lambda: KEYS), clock, pause)
    names = [f"c{n}" for n in range(MANY + 1)]
    for name in names:
        sink.answer(name, 429)

    broadcast.post({name: ["x"] for name in names}, until=0.3)
    broadcast.close()

    assert 0.15 < clock.monotonic() <= 0.3


def test_nothing_to_post_is_no_work(broadcast: Broadcast) -> None:
    assert broadcast.post({}, FOR_EVER) == []
