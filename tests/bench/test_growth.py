from itertools import pairwise

import pytest

from adapters.clock import Clock
from bench import growth
from bench.end_to_end import Life
from bench.inside import Spent
from bench.rebuild import log
from domain.recorded import first_break


def test_a_cost_with_a_fixed_part_is_linear_and_one_that_grows_faster_is_not() -> None:
    sizes = (1, 10, 100, 1_000)
    linear = growth._one_more({size: (5_000 + 50 * size) / size for size in sizes})
    assert linear.ours == pytest.approx(50)
    assert linear.ratio == pytest.approx(1)
    assert growth._one_more({size: (5_000 + size**1.5) / size for size in sizes}).met is False


def test_each_size_is_held_to_the_smallest() -> None:
    first, second, third = growth._rows("of {:,}", {1: 10.0, 10: 11.0, 100: 12.0}, "a reason")
    assert [row.name for row in (first, second, third)] == ["growth: of 1", "growth: of 10", "growth: of 100"]
    assert (first.met, second.met, third.met) == (None, True, False)
    assert third.why == "a reason"


def test_the_least_of_each_size_counts() -> None:
    costs = iter([3.0, 9.0, *[4.0, 5.0] * (growth.SAMPLES - 1)])
    assert growth._in_turns({1: lambda: next(costs), 10: lambda: next(costs)}) == {1: 3.0, 10: 5.0}


def test_a_batch_has_five_events_of_each_request_in_order() -> None:
    lives = [log(number, Clock())[:10] for number in range(2)]
    (first, records), (second, _) = growth._batches(lives)
    assert [event.version for event in first] == [1, 2, 3, 4, 5] * 2
    assert [event.version for event in second] == [6, 7, 8, 9, 10] * 2
    assert [int(record["dynamodb"]["NewImage"]["version"]["N"]) for record in records] == [1, 2, 3, 4, 5] * 2


def test_a_life_is_a_whole_log_whose_progress_never_goes_back() -> None:
    life = Life()
    events = [*life.first, *(life.progress() for _ in range(1_100))]
    assert first_break(events) is None
    percents = [event.snapshot().percent for event in events]
    assert all(before <= after for before, after in pairwise(percents))


def test_what_a_handler_spends_its_time_on_is_told_by_call() -> None:
    spent = Spent(
        requests=2, total_s=0.2, boto_s=0.1, each={"Query Events": [0.01] * 4, "PutItem Events": [0.03, 0.05]}
    )
    assert spent.told() == (
        "calls of AWS in the handler and their share of its time: "
        "2 x Query Events (10 % each), 1 x PutItem Events (40 % each)"
    )
