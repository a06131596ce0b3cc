"""A chart of how a cost grows: lines over sizes that grow tenfold, as SVG without script; for light and dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, log10
from typing import Final

WIDTH: Final = 640
HEIGHT: Final = 320
LEFT: Final = 76
RIGHT: Final = 168  # where the lines' names are
TOP: Final = 64
BOTTOM: Final = 52
_BETWEEN_NAMES: Final = 18
STYLE: Final = """
  .page { fill: #ffffff; stroke: #d8dee4 } text { font: 13px system-ui, sans-serif; fill: #59636e }
  .title { font-weight: 600; font-size: 15px; fill: #1f2328 } .grid { stroke: #e4e8ec } .axis { stroke: #8c959f }
  .limit { fill: #1a7f37; opacity: 0.12 } .ideal { stroke: #8c959f; stroke-dasharray: 5 4; fill: none }
  .one { stroke: #0969da } .two { stroke: #bc4c00 } .line { fill: none; stroke-width: 2.5; stroke-linejoin: round }
  circle.one { fill: #0969da } circle.two { fill: #bc4c00 } text.one { fill: #0969da; stroke: none }
  text.two { fill: #bc4c00; stroke: none }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #30363d } text { fill: #9198a1 } .title { fill: #f0f6fc } .grid { stroke: #21262d }
    .axis, .ideal { stroke: #656c76 } .limit { fill: #3fb950; opacity: 0.18 }
    .one { stroke: #4493f8 } .two { stroke: #f0883e } circle.one { fill: #4493f8 } circle.two { fill: #f0883e }
    text.one { fill: #4493f8 } text.two { fill: #f0883e }
  }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A name and the cost at each size."""

    name: str
    points: Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """Up to two lines; `limit` shades what is within so many times the first cost of the first line.

    With `tenfold` the costs grow tenfold as the sizes do, and a dashed line shows what is in proportion to the size.
    """

    title: str
    unit: str
    sizes: str
    lines: Sequence[Line]
    limit: float = 0.0
    tenfold: bool = False

    def svg(self) -> str:
        """The picture."""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        parts = [
            f'{head} aria-label="{escape(self.title)}">',
            f"<style>{STYLE}</style>",
            f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
            f'<text class="title" x="16" y="26">{escape(self.title)}</text>',
            f'<text x="16" y="46">{escape(self.unit)}</text>',
            *self._grid(),
            *self._expected(),
            *self._drawn(),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _costs(self) -> list[float]:
        return [cost for line in self.lines for _, cost in line.points]

    def _ticks(self) -> list[float]:
        if self.tenfold:
            lowest, highest = (log10(bound(self._costs())) for bound in (min, max))
            return [10.0**power for power in range(int(lowest // 1), ceil(highest) + 1)]
        step = nice(max(self._costs()) / 5)
        return [step * number for number in range(ceil(1.05 * max(self._costs()) / step) + 1)]

    def _x(self, size: float) -> float:
        sizes = [log10(size) for line in self.lines for size, _ in line.points]
        inner = WIDTH - LEFT - RIGHT - 32
        return LEFT + 16 + inner * (log10(size) - min(sizes)) / (max(sizes) - min(sizes))

    def _y(self, cost: float) -> float:
        ticks = self._ticks()
        lowest, highest, here = (log10(one) if self.tenfold else one for one in (ticks[0], ticks[-1], cost))
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (here - lowest) / (highest - lowest)

    def _grid(self) -> list[str]:
        parts = []
        for tick in self._ticks():
            y = self._y(tick)
            kind = "axis" if y == self._y(self._ticks()[0]) else "grid"
            parts.append(f'<path class="{kind}" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:,g}</text>')
        for size, _ in self.lines[0].points:
            parts.append(
                f'<text x="{self._x(size):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{size:,}</text>'
            )
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(self.sizes)}</text>')
        return parts

    def _expected(self) -> list[str]:
        """What the costs are held to."""
        first, cost = self.lines[0].points[0]
        last, most = self.lines[0].points[-1]
        if self.tenfold:
            start = max(first, last * self._ticks()[0] / most)  # not below the axis
            d = f"M{self._x(start):.1f} {self._y(most * start / last):.1f}L{self._x(last):.1f} {self._y(most):.1f}"
            return [f'<path class="ideal" d="{d}"/>']
        if not self.limit:
            return []
        top, foot = self._y(cost * self.limit), self._y(cost)
        return [
            f'<rect class="limit" x="{LEFT}" y="{top:.1f}" width="{WIDTH - LEFT - RIGHT}" height="{foot - top:.1f}"/>'
        ]

    def _drawn(self) -> list[str]:
        parts = []
        above = -1e9
        ends = sorted(zip(("one", "two"), self.lines, strict=False), key=lambda one: self._y(one[1].points[-1][1]))
        for kind, line in ends:
            points = [(self._x(size), self._y(cost)) for size, cost in line.points]
            drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline class="line {kind}" points="{drawn}"/>')
            parts += [f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in points]
            above = max(points[-1][1] + 4, above + _BETWEEN_NAMES)
            parts.append(
                f'<text class="{kind}" x="{points[-1][0] + 12:.1f}" y="{above:.1f}">{escape(line.name)}</text>'
            )
        return parts


def nice(step: float) -> float:
    """The next larger of 1, 2, 5 times a power of ten."""
    power = float(10.0 ** (log10(step) // 1))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step)
