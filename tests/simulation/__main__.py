"""`make simulate SEEDS=n [SEED=first]`: run histories, print the figures, fail on any violation."""

import argparse
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from typing import Final

from tests.simulation import figures, mutants
from tests.simulation.figures import ENOUGH, Figures
from tests.simulation.history import History, run

KEPT: Final = 500  # histories from which on the figures are worth keeping
_TOLD: Final = 5  # violations that are told of one history
_CHUNK: Final = 4
_CHUNKS: Final = 25  # of a process: what ended in the middle of something leaves some of its memory behind


def main() -> int:
    """Run what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many histories")
    parser.add_argument("--seed", type=int, default=1, help="the first one's seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many run at the same time")
    parser.add_argument("--keep", action="store_true", help="write the figures to results.json and the README")
    parser.add_argument("--trace", action="store_true", help="print every call of the history, for one seed")
    parser.add_argument("--mutants", action="store_true", help="switch off one guard after the other instead")
    given = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        parser.error("the order of a set is part of a history: PYTHONHASHSEED=0 is needed, make simulate has it")
    logging.disable(logging.CRITICAL)
    if given.mutants:
        return mutants.main(given.processes)
    if given.trace:
        return _told([run(given.seed, print)], 1)
    return _told(_histories(given.seed, given.seeds, given.processes), given.seeds, keep=given.keep)


def _histories(first: int, count: int, processes: int) -> Iterator[History]:
    seeds = range(first, first + count)
    if processes == 1 or count == 1:
        yield from map(run, seeds)
        return
    fork = multiprocessing.get_context("fork")
    with fork.Pool(processes, initializer=logging.disable, initargs=(50,), maxtasksperchild=_CHUNKS) as pool:
        yield from pool.imap_unordered(run, seeds, chunksize=_CHUNK)


def _told(histories: Iterator[History] | list[History], count: int, *, keep: bool = False) -> int:
    total, began, said = Figures(), time.monotonic(), 0.0
    for history in histories:
        total.add(history)
        for violation in history.violations[:_TOLD]:
            print(f"seed {history.seed}: {violation}", flush=True)
        passed = time.monotonic() - began
        if passed - said >= 10 or total.histories == count:
            said = passed
            print(f"{total.histories:,} of {count:,} histories in {passed:,.0f} s", file=sys.stderr, flush=True)
    results = total.results()
    print(figures.told(results))
    missing = total.never_fired() if count >= ENOUGH else []
    if missing:
        print(f"never fired: {', '.join(missing)}")
    for seed in sorted(total.failed)[:10]:
        print(f"to replay a violation: make simulate SEEDS=1 SEED={seed}")
    if keep and count >= KEPT and not total.failed and not missing:
        figures.keep(results)
    print(figures.summary(results))
    return 1 if total.failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
