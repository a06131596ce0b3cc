"""A few thousand mutated inputs each time the tests run; `make fuzz` runs as many as one likes."""

import random

import pytest

from adapters.work_tokens import wake_of
from handlers import readings
from tests.security.fuzz import GROWTH_MB, Fuzzer
from tests.security.mutations import Mutator, places

INPUTS = range(3000)


def test_nothing_that_is_mutated_is_dealt_with_wrongly_and_memory_is_bounded() -> None:
    tally = Fuzzer(seed=8).run(INPUTS)
    assert tally.wrong == []
    assert tally.grown_mb < GROWTH_MB
    assert set(tally.inputs.values()) == {len(INPUTS) // 4}
    for outcome in ("frame: ack", "token: Allow", "token: Deny", "record: quarantined", "record: handled", "row: ack"):
        assert tally.outcomes[outcome] > 0, tally.outcomes


def test_a_run_is_the_same_each_time() -> None:
    assert Fuzzer(seed=9).run(range(200)).outcomes == Fuzzer(seed=9).run(range(200)).outcomes


def test_a_function_that_trips_over_its_input_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def trip(frame: object, _: object) -> None:
        raise KeyError(str(frame))

    monkeypatch.setattr(readings, "get", trip)
    with pytest.raises(AssertionError, match="INTERNAL_ERROR"):
        Fuzzer(seed=8).run(INPUTS)


@pytest.mark.parametrize("seed", range(300))
def test_no_token_of_the_work_queue_trips_its_reader(seed: int) -> None:
    whole = '{"request_id":"r","turn":"05c4ba3e#acme#4#2026-11-22T08:24:41.120Z","is_ready":true}'
    wake_of(Mutator(random.Random(seed)).text(whole))


def test_places_are_all_there_are() -> None:
    assert places({"a": [1, {"b": 2}]}) == [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b")]
