"""Durations in buckets, and quantiles within the error that is stated."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.histogram import BOUNDS_MS, QUANTILES, RELATIVE_ERROR, counts, is_part, quantiles
from projections.histogram import values as durations_in
from tests.strategies import START

MS = timedelta(milliseconds=1)
LONGEST = BOUNDS_MS[-1]


@pytest.mark.parametrize(
    ("milliseconds", "bound"),
    [(-5, "1"), (0, "1"), (10, "11"), (999, "1024"), (1_025, "1217")]
    + [(bound, str(bound)) for bound in BOUNDS_MS]
    + [(LONGEST + 1, "inf"), (10**11, "inf")],
)
def test_a_duration_falls_in_the_bucket_of_its_upper_bound(milliseconds: int, bound: str) -> None:
    found = counts("wait", START, START + milliseconds * MS)
    assert found == {"wait_ms_sum": max(0, milliseconds), f"wait_ms_le_{bound}": 1}
    assert [name for name in found if is_part(name)] == [f"wait_ms_le_{bound}"]


def test_the_bounds_are_four_to_a_doubling_up_to_a_month() -> None:
    assert set(BOUNDS_MS) >= {2**n for n in range(32)}
    assert timedelta(milliseconds=LONGEST) > timedelta(days=31)
    assert all(after <= 2**0.25 * (before + 1) for before, after in pairwise(BOUNDS_MS))


durations = st.integers(0, 30) | st.integers(0, LONGEST)


@given(st.lists(durations, min_size=1, max_size=60))
def test_a_quantile_is_within_the_stated_error(values: list[int]) -> None:
    row: Counter[str] = Counter()
    for value in values:
        row.update(counts("run", START, START + value * MS))
    told = quantiles("run", row)
    assert len(found := durations_in("run", row)) == len(values)
    assert all(abs(mid - true) <= RELATIVE_ERROR * true + 1 for mid, true in zip(found, sorted(values), strict=True))
    for label, share in QUANTILES.items():
        true = sorted(values)[ceil(share * len(values)) - 1]
        assert abs(told[f"run_ms_{label}"] - true) <= RELATIVE_ERROR * true + 1


def test_what_is_beyond_every_bound_is_told_as_the_longest() -> None:
    assert quantiles("wait", {"wait_ms_le_inf": 1})["wait_ms_p99"] <= LONGEST


def test_nothing_counted_has_no_quantiles() -> None:
    assert quantiles("wait", {"submitted": 3, "run_ms_le_8": 2}) == {}
    assert quantiles("wait", {"wait_ms_le_8": 0}) == {}
