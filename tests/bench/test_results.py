import json

import pytest

from bench.results import Row, changes, encode


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("r", 10.0, 2.0, "s", "ratio >= 5"), True),
        (Row("r", 9.0, 2.0, "s", "ratio >= 5"), False),
        (Row("r", 13.0, 10.0, "s", "ratio <= 1.3"), True),
        (Row("r", 14.0, 10.0, "s", "ratio <= 1.3"), False),
        (Row("r", 2.5, None, "s", "ours <= 2.5"), True),
        (Row("r", 2.6, 100.0, "s", "ours <= 2.5"), False),
        (Row("r", 2.6, 1.0, "s"), None),
    ],
)
def test_a_target_is_held_against_the_figure_it_names(row: Row, met: object) -> None:
    assert row.met is met


@pytest.mark.parametrize("target", ["ratio >= 5", "ratio <= 5", "ours <= 5", "ours >= 0"])
def test_what_was_not_measured_is_never_met(target: str) -> None:
    assert Row("r", None, None, "s", target).met is False


def test_a_row_is_kept_with_its_ratio_and_verdict() -> None:
    (kept,) = json.loads(encode([Row("r", 10.00004, 4.0, "s", "ratio >= 2", "a reason")]))
    assert kept == {
        "name": "r",
        "ours": 10.0,
        "peer": 4.0,
        "ratio": 2.5,
        "unit": "s",
        "target": "ratio >= 2",
        "met": True,
    }


def test_a_row_that_missed_its_target_says_why() -> None:
    missed, without = json.loads(encode([Row("r", 1.0, 1.0, "s", "ratio >= 2", "a reason"), Row("s", 1.0, 1.0, "s")]))
    assert missed["why"] == "a reason"
    assert "why" not in without


def test_runs_compare_by_ratio_whatever_the_machine_does() -> None:
    before = json.loads(encode([Row("r", 10.0, 5.0, "s"), Row("count", 10.0, None, "calls")]))
    assert changes([Row("r", 30.0, 15.0, "s"), Row("count", 13.0, None, "calls")], before) == {
        "r": "same",
        "count": "+30%",
    }
    assert changes([Row("r", 10.0, 10.0, "s")], before) == {"r": "-50%"}


def test_nothing_is_told_of_what_is_new_or_was_not_measured() -> None:
    before = json.loads(encode([Row("old", None, None, "s")]))
    assert changes([Row("new", 1.0, 1.0, "s"), Row("old", 1.0, 1.0, "s")], before) == {}
    assert changes([Row("old", None, None, "s")], json.loads(encode([Row("old", 1.0, 1.0, "s")]))) == {}
