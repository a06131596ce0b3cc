"""The period of a report, cut into buckets of a minute, an hour or a day, and what was counted in each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Final

from domain.instant import from_text

COUNTS: Final = ("submitted", "started", "retried", "completed", "failed", "cancelled", "outputs")
ENDINGS: Final = ("completed", "failed", "cancelled")

Counts = Mapping[str, int]


class Unit(Enum):
    """How long a bucket is; a period gets the shortest that needs no more than 120 buckets, days at the longest."""

    MINUTE = timedelta(minutes=1)
    HOUR = timedelta(hours=1)
    DAY = timedelta(days=1)

    @property
    def word(self) -> str:
        """The unit as a word."""
        return self.name.lower()


MAX_BUCKETS: Final = 120


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of the period and its counts."""

    start: datetime
    counts: Counts

    @property
    def ended(self) -> int:
        """How many requests came to an end in it."""
        return sum(self.counts[name] for name in ENDINGS)


@dataclass(frozen=True, slots=True)
class Period:
    """From start until before end."""

    start: datetime
    end: datetime

    @property
    def unit(self) -> Unit:
        """The unit of its buckets."""
        length = self.end - self.start
        return next((unit for unit in Unit if length <= MAX_BUCKETS * unit.value), Unit.DAY)

    @property
    def days(self) -> list[date]:
        """The UTC days that it touches."""
        first, last = self.start.date(), (self.end - timedelta(milliseconds=1)).date()
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def contains(self, at: datetime) -> bool:
        """Whether the instant is within it."""
        return self.start <= at < self.end

    def share(self, at: datetime) -> float:
        """How far into the period the instant is, 0 to 1."""
        return min(1.0, max(0.0, (at - self.start) / (self.end - self.start)))

    def bucket_starts(self) -> list[datetime]:
        """The starts of its buckets, on whole minutes, hours or days; the first may be before the period's start."""
        step = self.unit.value
        first = _floor(self.start, step)
        return [first + n * step for n in range(-((first - self.end) // step))]


def counts_in(row: Mapping[str, Any]) -> dict[str, int]:
    """The counts of a row of metrics; what it does not have is 0."""
    return {name: int(row.get(name, 0)) for name in COUNTS}


def totals_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The counts of all rows together."""
    totals = dict.fromkeys(COUNTS, 0)
    for row in rows:
        for name, count in counts_in(row).items():
            totals[name] += count
    return totals


def buckets_of(period: Period, rows: Iterable[Mapping[str, Any]]) -> list[Bucket]:
    """Every bucket of the period, also those in which nothing happened."""
    step = period.unit.value
    grouped: dict[datetime, list[Mapping[str, Any]]] = {start: [] for start in period.bucket_starts()}
    for row in rows:
        start = _floor(from_text(row["at"]), step)
        if start in grouped:
            grouped[start].append(row)
    return [Bucket(start, totals_of(within)) for start, within in grouped.items()]


def counted_as(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    """The action and the count that an audit entry adds one to; None when it tells of neither."""
    name = _COUNTED.get(entry["type"])
    return (str(entry["action"]), name) if name is not None and entry.get("action") else None


_COUNTED: Final[Mapping[str, str]] = {
    "RequestSubmitted": "submitted",
    "AttemptStarted": "started",
    "AttemptFailed": "retried",
    "RequestCompleted": "completed",
    "RequestFailed": "failed",
    "RequestCancelled": "cancelled",
}


def _floor(at: datetime, step: timedelta) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (at - midnight) // step * step
