"""What a run of the bench measured: rows of our figure, the peer's, their ratio and the target it was held to.

A row without a figure was not measured; it is never told as met. Rows compare by their ratio, for the machine is
another one each time; rows without a peer compare by our figure, which must be a count then.
"""

import json
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

COMPARES: Final[Mapping[str, Callable[[float, float], bool]]] = {"<=": operator.le, ">=": operator.ge}
_SAME: Final = 0.15  # a change of a ratio by less than this is the machine's


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; a target is `ratio` or `ours`, a comparison and a number, or nothing."""

    name: str
    ours: float | None
    peer: float | None
    unit: str
    target: str = ""
    why: str = ""  # the limit is elsewhere, or there is no figure

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return self.ours / self.peer if self.ours is not None and self.peer else None

    @property
    def met(self) -> bool | None:
        """Whether the target was met: no for a figure that was not measured, None where there is no target."""
        if not self.target:
            return None
        of, compares, limit = self.target.split()
        figure = {"ratio": self.ratio, "ours": self.ours}[of]
        return figure is not None and COMPARES[compares](figure, float(limit))

    def kept(self) -> dict[str, Any]:
        """The row as results.json has it; one that missed its target says why."""
        ratio = None if self.ratio is None else round(self.ratio, 3)
        figures = {name: _rounded(value) for name, value in (("ours", self.ours), ("peer", self.peer))}
        given = asdict(self)
        return {"name": self.name, **figures, "ratio": ratio} | {
            "unit": given["unit"],
            "target": self.target,
            "met": self.met,
            **({"why": self.why} if self.why and self.met is False else {}),
        }


def encode(rows: Iterable[Row]) -> str:
    """The rows as results.json has them."""
    return json.dumps([row.kept() for row in rows], indent=2) + "\n"


def changes(rows: Sequence[Row], before: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """How each row differs from an earlier run, by its name; nothing for what is new or was not measured."""
    earlier = {row["name"]: row for row in before}
    told: dict[str, str] = {}
    for row in rows:
        was = earlier.get(row.name, {})
        now_and_then = (row.ratio, was.get("ratio")) if row.peer else (row.ours, was.get("ours"))
        now, then = now_and_then
        if now is None or not then:
            continue
        change = now / then - 1
        told[row.name] = "same" if abs(change) < _SAME else f"{change:+.0%}"
    return told


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
