"""The plane of a report's chart: where buckets and counts are on it, its grid and the labels of its axes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from actions.report_period import Bucket, Unit

LEFT: Final = 44
RIGHT: Final = 10
TOP: Final = 12
BOTTOM: Final = 30
GRID_LINES: Final = 5

# How many units apart the labels of the time axis may be: steps a reader can count in.
_LABEL_STEPS: Final[Mapping[Unit, Sequence[int]]] = {
    Unit.MINUTE: (1, 2, 5, 10, 15, 30, 60),
    Unit.HOUR: (1, 2, 3, 6, 12, 24, 48),
    Unit.DAY: (1, 2, 3, 5, 7, 14),
}


@dataclass(frozen=True, slots=True)
class Plot:
    """The plane that buckets are drawn on: bucket numbers and counts to points."""

    width: int
    height: int
    buckets: int
    top_value: int

    @property
    def slot(self) -> float:
        """The width that a bucket has."""
        return (self.width - LEFT - RIGHT) / self.buckets

    def x(self, bucket: float) -> float:
        """The left edge of a bucket; half a bucket more is its middle."""
        return LEFT + bucket * self.slot

    def y(self, count: float) -> float:
        """The height that stands for a count."""
        return TOP + (self.height - TOP - BOTTOM) * (1 - count / self.top_value)


def grid_step(highest: int) -> int:
    """The distance of grid lines, 1, 2 or 5 with zeros, that needs no more than five of them."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if highest <= factor * power * GRID_LINES:
                return factor * power
        power *= 10


def grid(plot: Plot, step: int) -> list[str]:
    """A line for each step of the counts, with its label."""
    parts = []
    for value in range(0, plot.top_value + 1, step):
        y = plot.y(value)
        parts.append(f'<path class="{"grid" if value else "axis"}" d="M{LEFT} {y:.1f}H{plot.width - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short_count(value)}</text>')
    return parts


def short_count(value: int) -> str:
    """A count in the space of an axis label: 950, 1.5k, 20k, 3M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return str(value)


def time_axis(plot: Plot, buckets: Sequence[Bucket], unit: Unit, labels: int) -> list[str]:
    """The labels below the buckets: times of day, or the day where one begins."""
    steps = _LABEL_STEPS[unit]
    step = next((step for step in steps if len(buckets) <= step * labels), steps[-1])
    parts = []
    for number, bucket in enumerate(buckets):
        if _unit_number(bucket.start, buckets[0].start, unit) % step == 0:
            # Kept off the edges, where half of the label would be cut.
            x = min(max(plot.x(number + 0.5), LEFT + 8), plot.width - RIGHT - 16)
            parts.append(f'<text x="{x:.1f}" y="{plot.height - 8}" text-anchor="middle">{_label(bucket, unit)}</text>')
    return parts


def _unit_number(at: datetime, first: datetime, unit: Unit) -> int:
    """Minutes and hours are counted from midnight, so that labels fall on round times; days from the first one."""
    origin = first if unit is Unit.DAY else first.replace(hour=0, minute=0)
    return (at - origin) // unit.value


def _label(bucket: Bucket, unit: Unit) -> str:
    return day_text(bucket.start) if unit is Unit.DAY or _is_midnight(bucket.start) else f"{bucket.start:%H:%M}"


def day_text(at: datetime) -> str:
    """The day as 22 Nov."""
    return f"{at.day} {_MONTHS[at.month - 1]}"


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _is_midnight(at: datetime) -> bool:
    return at.hour == at.minute == 0
