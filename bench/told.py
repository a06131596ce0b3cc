"""What the pages show of bench/results.json: a table, reasons and pictures. `python -m bench.told` makes them anew."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from bench.chart import Chart, Line

HERE: Final = Path(__file__).parent
WITHIN: Final = "CPU us an event; shaded: up to 15 % above the first"
RESULTS: Final = HERE / "results.json"
PAGE: Final = HERE.parent / "docs" / "performance.md"
_TABLE: Final = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- /bench -->)", re.DOTALL)


def table(results: Iterable[Mapping[str, Any]]) -> str:
    """The table of every figure, and under it why targets were missed."""
    lines = ["| bench | ours | peer | ratio | target | |", "|---|--:|--:|--:|---|---|"]
    reasons: dict[str, list[str]] = {}
    for row in results:
        verdict = {True: "met", False: "**missed**", None: ""}[row["met"]]
        said = "not measured" if row["ours"] is None else verdict
        figures = " | ".join(figure(row[name]) for name in ("ours", "peer", "ratio"))
        lines.append(f"| {row['name']}, {row['unit']} | {figures} | {row['target']} | {said} |")
        if row.get("why"):
            reasons.setdefault(row["why"], []).append(row["name"])
    told = [f"- {'; '.join(names)}: {why}." for why, names in reasons.items()]
    return "\n".join([*lines, *(["", *told] if told else [])]) + "\n"


def figure(value: float | None) -> str:
    """A figure with as many digits as matter."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - from there on digits do not matter


def pictures(results: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The pictures by the names of their files; none of what was not measured."""
    known = list(results)
    log = _line(known, r"event appended and projected, ([\d,]+) in the log", "append and project")
    pushes = _line(known, r"push and watcher, ([\d,]+) watching", "one push to all", times_size=True)
    alone = _line(known, r"event projected, tenants: ([\d,]+), one a batch", "a batch of one tenant")
    spread = _line(known, r"event projected, tenants: ([\d,]+), 20 a batch", "a batch of 20 tenants")
    charts = {
        "growth_log.svg": Chart(
            "What an event costs when the log grows", WITHIN, "events in the log", [log], limit=1.15
        ),
        "growth_watchers.svg": Chart(
            "What a push costs when more watch",
            "CPU us a push; dashed: in proportion to those who watch",
            "connections that watch",
            [pushes],
            tenfold=True,
        ),
        "growth_tenants.svg": Chart(
            "What an event costs when there are more tenants", WITHIN, "tenants", [alone, spread], limit=1.15
        ),
    }
    return {name: chart.svg() for name, chart in charts.items() if all(line.points for line in chart.lines)}


def tell(results: Iterable[Mapping[str, Any]]) -> None:
    """Write the table into its page, and the pictures beside the results."""
    known = list(results)
    PAGE.write_text(_TABLE.sub(lambda _: table(known), PAGE.read_text()))
    for name, svg in pictures(known).items():
        (HERE / name).write_text(svg)


def _line(results: Iterable[Mapping[str, Any]], pattern: str, name: str, *, times_size: bool = False) -> Line:
    """The rows of a pattern, whose group is their size."""
    points = []
    for row in results:
        found = re.fullmatch(f"growth: {pattern}", row["name"])
        if found and row["ours"] is not None:
            size = int(found[1].replace(",", ""))
            points.append((size, row["ours"] * (size if times_size else 1)))
    return Line(name, points)


if __name__ == "__main__":
    tell(json.loads(RESULTS.read_text()))
    sys.exit(0)
