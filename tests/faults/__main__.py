"""`make faults`: the real functions over real HTTP through faults, killed at random; then a verdict.

Exit codes: 0 all is as it must be and every fault fired; 1 it is not, with the reasons and the seed.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from local.errors import StackError
from tests.faults.run import Report, Run
from tests.faults.stage import staged
from tests.faults.verdict import never_fired, together

# What a run must not survive with a guard switched off, by its name among the simulation's mutants.
TWIN: Final = "transaction of rows and counts"
_TWINS: Final = 4  # runs at most; about one in ten is survived
_TOLD: Final = 20
_TWINS_PATIENCE: Final = 0.2  # what a twin has broken does not come right by waiting


def main() -> int:
    """Run what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--requests", type=int, default=60, help="how many; 60 unless told")
    parser.add_argument("--seed", type=int, default=1, help="of what is asked for and broken")
    parser.add_argument("--twin-requests", type=int, default=12, help="how many while a guard is switched off")
    given = parser.parse_args()
    try:
        is_caught = _is_caught(given.twin_requests, given.seed)
        report = _run(given.requests, given.seed, None)
    except StackError as exc:
        print(exc, file=sys.stderr)
        return 1
    missing = never_fired(together(report.fired, report.killed))
    _tell(report, missing)
    is_ok = is_caught and not report.violations and not missing
    if not is_ok:
        print(f"to run it again: make faults N={given.requests} SEED={given.seed}")
    print(
        f"faults {'ok' if is_ok else 'FAILED'}: seed {given.seed} · {report.requests:,} requests ·"
        f" {report.events:,} events · {report.calls:,} calls ·"
        f" {report.fired.total():,} faults of {len(report.fired)} kinds · {report.killed.total()} processes killed ·"
        f" {len(report.violations)} violations · broken twin {'caught' if is_caught else 'SURVIVED'} ·"
        f" {report.took_s:.0f} s"
    )
    return 0 if is_ok else 1


def _run(requests: int, seed: int, mutant: str | None) -> Report:
    with TemporaryDirectory() as temporary, staged(Path(temporary), seed) as stage:
        patience = 1.0 if mutant is None else _TWINS_PATIENCE
        return Run(stage, Path(temporary), seed, mutant, patience=patience).go(requests)


def _is_caught(requests: int, seed: int) -> bool:
    """Whether a run with a guard switched off is found out, by what it leaves in the views.

    In some runs nothing happens to be killed where that guard is needed: then another one follows.
    """
    for again in range(_TWINS):
        report = _run(requests, seed + again, TWIN)
        found = [violation for violation in report.violations if violation.startswith("Metrics")]
        fate = f"caught by {found[0][:150]}" if found else "survived"
        print(f"broken twin, {TWIN}, seed {seed + again}: {fate} ({report.took_s:.0f} s)", flush=True)
        if found:
            return True
    return False


def _tell(report: Report, missing: list[str]) -> None:
    for violation in report.violations[:_TOLD]:
        print(violation)
    if len(report.violations) > _TOLD:
        print(f"... and {len(report.violations) - _TOLD} more")
    for counts in (report.fired, report.killed, report.counts):
        _list(counts)
    if missing:
        print(f"never fired: {', '.join(missing)}")


def _list(counts: Counter[str]) -> None:
    for name, count in sorted(counts.items()):
        print(f"  {count:>8,} {name}")


if __name__ == "__main__":
    sys.exit(main())
