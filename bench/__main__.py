"""`python -m bench [BENCH …]`: every figure of the bench in one run, as a table, in bench/results.json and on its page.

With names only those benches run, and the files stay as they are. The exit code is 1 when a target was missed.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console

from bench import (
    cold,
    end_to_end,
    folding,
    frames,
    growth,
    loading,
    posts,
    rebuild,
    results,
    told,
    units,
    updates,
    views,
)
from bench.results import Row
from client.show import table
from local.errors import StackError

BENCHES: Final[Mapping[str, Callable[[], list[Row]]]] = {
    "folding": folding.rows,
    "loading": loading.rows,
    "views": views.rows,
    "posts": posts.rows,
    "frames": frames.rows,
    "units": units.rows,
    "cold": cold.rows,
    "updates": updates.rows,
    "growth": growth.rows,
    "rebuild": rebuild.rows,
    "end_to_end": end_to_end.rows,
}
LONGEST_S: Final = 600
_WORDS: Final = {True: "met", False: "missed", None: ""}


def run(names: Sequence[str], console: Console) -> list[Row]:
    """The rows of the benches named; a bench that cannot run here has one row that says why."""
    rows: list[Row] = []
    for name in names:
        started = time.monotonic()
        try:
            rows += BENCHES[name]()
        except (StackError, RuntimeError, TimeoutError) as exc:
            rows.append(Row(name, None, None, "", "ours >= 0", f"not measured: {exc}"))
        console.print(f"{name}: {time.monotonic() - started:.0f} s")
    return rows


def show(rows: Sequence[Row], changed: Mapping[str, str], console: Console) -> None:
    """Print the table, and under it why targets were missed."""
    made = table("bench", "ours", "peer", "ratio", "unit", "target", "", "since", right=("ours", "peer", "ratio"))
    for row in rows:
        said = "not measured" if row.ours is None else _WORDS[row.met]
        figures = [told.figure(value) for value in (row.ours, row.peer, row.ratio)]
        made.add_row(row.name, *figures, row.unit, row.target, said, changed.get(row.name, ""))
    console.print(made)
    for row in rows:
        if row.met is False:
            console.print(f"  {row.name}: {row.why or 'missed, and the bench does not say why'}")


def committed() -> list[dict[str, Any]]:
    """The results that were committed last; none where there are none, or no git."""
    shown = subprocess.run(
        ["git", "show", "HEAD:./results.json"],  # noqa: S607 - the user's git
        cwd=told.HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(shown.stdout) if shown.returncode == 0 else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("bench", nargs="*", metavar="BENCH", help=", ".join(BENCHES))
    asked = parser.parse_args(arguments).bench
    if unknown := sorted(set(asked) - set(BENCHES)):
        parser.error(f"no such bench: {', '.join(unknown)}")
    console = Console(highlight=False, width=160)
    started = time.monotonic()
    rows = run(asked or list(BENCHES), console)
    if not asked:
        told.RESULTS.write_text(results.encode(rows))
        told.tell(json.loads(told.RESULTS.read_text()))
    show(rows, results.changes(rows, committed()), console)
    took = time.monotonic() - started
    console.print(f"{took:.0f} s" + (f", which is more than {LONGEST_S}" if took > LONGEST_S else ""))
    return 0 if all(row.met is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
