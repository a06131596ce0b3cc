"""The figures of a run: histories added up, printed, and kept in `results.json` and the README."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.simulation.faults import KINDS
from tests.simulation.history import History

HERE: Final = Path(__file__).resolve().parent
RESULTS: Final = HERE / "results.json"
README: Final = HERE.parents[1] / "README.md"
BEGIN, END = "<!-- simulation: `make simulate` writes what is below -->", "<!-- simulation ends -->"
ENOUGH: Final = 100  # histories after which every fault must have fired
_SUMS: Final = (
    "requests",
    "events",
    "invocations",
    "calls",
    "deliveries",
    "duplicates",
    "frames",
    "poison",
    "lost",
    "told",
)


@dataclass(slots=True)
class Figures:
    """Histories added up."""

    histories: int = 0
    sums: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    failed: dict[int, Sequence[str]] = field(default_factory=dict)

    def add(self, history: History) -> None:
        """Add one."""
        self.histories += 1
        self.sums.update({name: getattr(history, name) for name in _SUMS})
        self.fired.update(history.fired)
        self.crashes.update(history.crashes)
        self.steps.append(history.recovery_steps)
        self.seconds.append(history.recovery_s)
        if history.violations:
            self.failed[history.seed] = history.violations

    def never_fired(self) -> list[str]:
        """The faults that did not happen in all of the histories."""
        return [kind for kind in KINDS if not self.fired[kind]]

    def results(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {
            "histories": self.histories,
            "violations": len(self.failed),
            **{name: self.sums[name] for name in _SUMS},
            "faults": sum(self.fired.values()),
            "fired": {kind: self.fired[kind] for kind in KINDS},
            "crashes": sum(self.crashes.values()),
            "crash_points": dict(sorted(self.crashes.items())),
            "recovery_steps": quantiles(self.steps),
            "recovery_seconds": quantiles(self.seconds),
        }


def quantiles(numbers: Iterable[float]) -> dict[str, int]:
    """The median, the 99th percentile and the largest, rounded up."""
    ordered = sorted(numbers)
    if not ordered:
        return {"p50": 0, "p99": 0, "max": 0}
    last = len(ordered) - 1
    return {name: -int(-ordered[round(last * q)] // 1) for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}


def told(results: Mapping[str, Any]) -> str:
    """The figures as a person reads them."""
    fired = "\n".join(f"  {kind:<20} {count:>9,}  {KINDS[kind]}" for kind, count in results["fired"].items())
    points = "\n".join(f"  {point:<44} {count:>7,}" for point, count in results["crash_points"].items())
    return f"""\
faults fired, by kind
{fired}
crashes, by point
{points}
recovery after the last fault: {_quantiles(results["recovery_steps"], "invocations")}, \
{_quantiles(results["recovery_seconds"], "virtual seconds")}
{results["requests"]:,} requests · {results["invocations"]:,} invocations · {results["calls"]:,} calls to services · \
{results["frames"]:,} frames of clients · {results["told"]:,} times a client gave up and said so
{results["duplicates"]:,} duplicates absorbed · {results["poison"]:,} poison records isolated · \
{results["lost"]:,} stream records lost to the views, which the patrol made good"""


def summary(results: Mapping[str, Any]) -> str:
    """The last line."""
    return (
        f"{results['histories']:,} histories · {results['events']:,} events · {results['deliveries']:,} deliveries · "
        f"{results['faults']:,} faults · {results['crashes']:,} crashes · {results['violations']:,} violations"
    )


def table(results: Mapping[str, Any]) -> str:
    """The figures as the README has them."""
    rows = (
        ("histories, each from a seed of its own", results["histories"]),
        ("events appended", results["events"]),
        ("deliveries of stream records and queue messages", results["deliveries"]),
        ("of those duplicates, all absorbed", results["duplicates"]),
        (f"faults fired, of {len(results['fired'])} kinds", results["faults"]),
        (f"processes ended in the middle, at {len(results['crash_points'])} points", results["crashes"]),
        ("poison records, all isolated", results["poison"]),
        ("stream records lost to the views, all made good from the log", results["lost"]),
        ("acknowledged and lost, or seen twice, or out of order", results["violations"]),
        ("invocations until all is at rest after the last fault: median", results["recovery_steps"]["p50"]),
        ("99th percentile", results["recovery_steps"]["p99"]),
        ("largest", results["recovery_steps"]["max"]),
    )
    lines = [f"| {name} | {number:,} |" for name, number in rows]
    return "\n".join(["| figure | |", "|---|---:|", *lines])


def keep(results: Mapping[str, Any]) -> None:
    """Write the figures down, and into the README."""
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if rest:
        README.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}")


def _quantiles(found: Mapping[str, int], what: str) -> str:
    return f"p50 {found['p50']:,}, p99 {found['p99']:,}, max {found['max']:,} {what}"
