"""The chart of a report: how requests ended as stacked bars, how many were submitted as a line; SVG, no script.

Colors are the page's: each part has a class (`completed`, `failed`, `cancelled`, `submitted`, `grid`, `axis`).
"""

from collections.abc import Sequence
from typing import Final

from actions.report_axes import BOTTOM, TOP, Plot, day_text, grid, grid_step, time_axis
from actions.report_period import ENDINGS, Bucket, Unit

MARKED_POINTS: Final = 40


def chart(buckets: Sequence[Bucket], unit: Unit, *, width: int, height: int, labels: int) -> str:
    """The chart of at least one bucket, with at most so many labels on the time axis."""
    highest = max(max(bucket.counts["submitted"], bucket.ended) for bucket in buckets)
    step = grid_step(highest)
    plot = Plot(width, height, len(buckets), max(1, -(-highest // step)) * step)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="Requests by the {unit.word}">',
        *grid(plot, step),
        *time_axis(plot, buckets, unit, labels),
        *(part for number, bucket in enumerate(buckets) for part in _bar(plot, number, bucket)),
        *_line(plot, buckets),
        *(_tip(plot, number, bucket, unit) for number, bucket in enumerate(buckets)),
        "</svg>",
    ]
    return "\n".join(parts)


def _bar(plot: Plot, number: int, bucket: Bucket) -> list[str]:
    gap = min(3.0, plot.slot * 0.2)
    # One bar over a whole page would be a wall.
    width = min(plot.slot - gap, 48)
    x = plot.x(number + 0.5) - width / 2
    parts, below = [], 0
    for name in ENDINGS:
        count = bucket.counts[name]
        if count:
            top, foot = plot.y(below + count), plot.y(below)
            parts.append(
                f'<rect class="{name}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{foot - top:.1f}"/>'
            )
        below += count
    return parts


def _line(plot: Plot, buckets: Sequence[Bucket]) -> list[str]:
    points = [(plot.x(n + 0.5), plot.y(bucket.counts["submitted"])) for n, bucket in enumerate(buckets)]
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = points if len(points) <= MARKED_POINTS else []
    return [
        f'<polyline class="submitted" points="{drawn}"/>',
        *(f'<circle class="submitted" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in marks),
    ]


def _tip(plot: Plot, number: int, bucket: Bucket, unit: Unit) -> str:
    """An unseen column over each bucket that tells its counts to a pointer."""
    when = day_text(bucket.start) if unit is Unit.DAY else f"{day_text(bucket.start)} {bucket.start:%H:%M}"
    told = ", ".join(f"{bucket.counts[name]:,} {name}" for name in ("submitted", *ENDINGS))
    return (
        f'<rect class="tip" x="{plot.x(number):.1f}" y="{TOP}" width="{plot.slot:.1f}" '
        f'height="{plot.height - TOP - BOTTOM}"><title>{when}: {told}</title></rect>'
    )
