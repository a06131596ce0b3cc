"""`python -m bench [BENCH …]`: every figure of the bench in one run, as a table and in bench/results.json.

With names only those benches run, and the file stays as it is. The exit code is 1 when a target was missed.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench import cold, end_to_end, folding, frames, loading, posts, results, units, updates, views
from bench.results import Row
from client.show import table
from local.errors import StackError

KEPT: Final = Path(__file__).with_name("results.json")
BENCHES: Final[Mapping[str, Callable[[], list[Row]]]] = {
    "folding": folding.rows,
    "loading": loading.rows,
    "views": views.rows,
    "posts": posts.rows,
    "frames": frames.rows,
    "units": units.rows,
    "cold": cold.rows,
    "updates": updates.rows,
    "end_to_end": end_to_end.rows,
}
UNMEASURED: Final = (
    Row(
        "growth: cost of an event, 10^5 against 10^3 in the log", None, None, "us", "ratio <= 1.15", "not measured yet"
    ),
    Row("growth: cost of a push and watcher, 1,000 against 1", None, None, "us", "ratio <= 1.15", "not measured yet"),
    Row("growth: cost of an event, 1,000 tenants against 1", None, None, "us", "ratio <= 1.15", "not measured yet"),
)
_WORDS: Final = {True: "met", False: "missed", None: ""}


def run(names: Sequence[str], console: Console) -> list[Row]:
    """The rows of the benches named; a bench that cannot run here has one row that says why."""
    rows: list[Row] = []
    for name in names:
        started = time.monotonic()
        try:
            rows += BENCHES[name]()
        except StackError as exc:
            rows.append(Row(name, None, None, "", "ours >= 0", f"not measured: {exc}"))
        console.print(f"{name}: {time.monotonic() - started:.0f} s")
    return rows


def show(rows: Sequence[Row], changed: Mapping[str, str], console: Console) -> None:
    """Print the table, and under it why a row is as it is."""
    made = table("bench", "ours", "peer", "ratio", "unit", "target", "", "since", right=("ours", "peer", "ratio"))
    for row in rows:
        said = "not measured" if row.ours is None else _WORDS[row.met]
        figures = [_figure(value) for value in (row.ours, row.peer, row.ratio)]
        made.add_row(row.name, *figures, row.unit, row.target, said, changed.get(row.name, ""))
    console.print(made)
    for row in rows:
        if row.why:
            console.print(f"  {row.name}: {row.why}")


def committed() -> list[dict[str, Any]]:
    """The results that were committed last; none where there are none, or no git."""
    told = subprocess.run(
        ["git", "show", "HEAD:./results.json"],  # noqa: S607 - the user's git
        cwd=KEPT.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(told.stdout) if told.returncode == 0 else []


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - from there on digits do not matter


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("bench", nargs="*", metavar="BENCH", help=", ".join(BENCHES))
    asked = parser.parse_args(arguments).bench
    if unknown := sorted(set(asked) - set(BENCHES)):
        parser.error(f"no such bench: {', '.join(unknown)}")
    console = Console(highlight=False, width=160)
    rows = run(asked or list(BENCHES), console)
    if not asked:
        rows += UNMEASURED
        before = committed()
        KEPT.write_text(results.encode(rows))
    else:
        before = committed()
    show(rows, results.changes(rows, before), console)
    return 0 if all(row.met is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
