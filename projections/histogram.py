"""Histograms of durations: counts by upper bound, four bounds to a doubling, and the quantiles that they give.

A quantile is told as the middle of its bucket, on a scale of ratios. So it is within 2^(1/8) - 1 = 9.1 % of the true
one, and a millisecond, for bounds are whole milliseconds.
"""

from bisect import bisect_left
from collections.abc import Mapping
from datetime import timedelta
from itertools import accumulate
from math import ceil, isqrt, sqrt
from typing import Any, Final

RELATIVE_ERROR: Final = 0.091
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
# The whole part of 2^(k/4), exactly, up to 34 days: longer than a request can wait or run.
BOUNDS_MS: Final = tuple(sorted({isqrt(isqrt(2**k)) for k in range(127)}))
_BEYOND: Final = "inf"


def counts(name: str, start: Any, end: Any) -> dict[str, int]:
    """A duration between two instants as counts: its milliseconds, and one in the bucket of its upper bound."""
    milliseconds = max(0, (end - start) // timedelta(milliseconds=1))
    place = bisect_left(BOUNDS_MS, milliseconds)
    bound = str(BOUNDS_MS[place]) if place < len(BOUNDS_MS) else _BEYOND
    return {f"{name}_ms_sum": milliseconds, f"{name}_ms_le_{bound}": 1}


def is_part(name: str) -> bool:
    """Whether a count is a bucket of a histogram."""
    return "_ms_le_" in name


def quantiles(name: str, row: Mapping[str, Any]) -> dict[str, int]:
    """The quantiles in milliseconds of a row's histogram; nothing when it is empty."""
    buckets = _buckets(name, row)
    total = sum(count for _, count in buckets)
    if total <= 0:
        return {}
    return {f"{name}_ms_{label}": _quantile(buckets, ceil(share * total)) for label, share in QUANTILES.items()}


def values(name: str, row: Mapping[str, Any]) -> list[int]:
    """The durations that a row has counted, each as the middle of its bucket."""
    return [value for value, count in _buckets(name, row) for _ in range(count)]


def _buckets(name: str, row: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The middle of each bucket and how many durations are in it, in order."""
    prefix = f"{name}_ms_le_"
    return sorted((_middle(key.removeprefix(prefix)), row[key]) for key in row if key.startswith(prefix))


def _middle(bound: str) -> int:
    place = len(BOUNDS_MS) - 1 if bound == _BEYOND else bisect_left(BOUNDS_MS, int(bound))
    return round(sqrt(BOUNDS_MS[place] * BOUNDS_MS[place - 1])) if place else BOUNDS_MS[0]


def _quantile(buckets: list[tuple[int, int]], rank: int) -> int:
    """The middle of the bucket that holds the value of this rank, from 1."""
    reached = accumulate(count for _, count in buckets)
    return next(middle for (middle, _), seen in zip(buckets, reached, strict=True) if seen >= rank)
