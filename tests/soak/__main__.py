"""`make soak MINUTES=n`: random load and random harm on a stack of its own, and a verdict.

It ends with one line of figures. Exit codes: 0 all is as it must be, 1 it is not (with the reasons, and the seed that
was used), 130 interrupted.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from typing import Final

from local.deploy import PROJECT
from local.errors import StackError
from local.stack import Stack, running
from tests.kit.stacks import sweep
from tests.soak import judge
from tests.soak.gathering import Observed
from tests.soak.harm import Harm
from tests.soak.judge import Evidence
from tests.soak.load import Load

DIRECTORY: Final = PROJECT / ".local" / "soak"
LEASE_S: Final = 5
SLOTS: Final = 3
PARAMETERS: Final = {"LeaseSeconds": str(LEASE_S), "TenantConcurrency": str(SLOTS), "WorkConcurrency": "5"}

# Bounds for what never comes, not times that are expected. A token that died with its worker's process is replaced by
# the sweeper when its request has been overdue for 1 minute, 2, 4, ...
DRAIN_S: Final = 480.0
VIEWS_S: Final = 120.0

_SWEEP_S: Final = 15.0  # the schedule's minute is long against leases of 5 s
_TELL_S: Final = 5.0
_TOLD_AT_MOST: Final = 30


def main() -> int:
    """Soak a stack; the exit code."""
    asked = _arguments()
    print(f"Soaking a stack in {DIRECTORY} for {asked.minutes:g} minutes, seed {asked.seed}", flush=True)
    try:
        with running(DIRECTORY, print, **PARAMETERS) as stack:
            return asyncio.run(Soak(stack, asked.seed, asked.minutes).run())
    except StackError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


class Soak:
    """One run."""

    def __init__(self, stack: Stack, seed: int, minutes: float) -> None:
        self._stack = stack
        self._seed = seed
        self._minutes = minutes
        self._load = Load(stack, seed)
        self._harm = Harm(stack, self._load, seed, LEASE_S)
        self._observed = Observed(stack)
        self._phase = "connecting"
        self._until = 0.0

    async def run(self) -> int:
        """Load and harm the stack, wait until it is quiet, judge; the exit code."""
        started = time.monotonic()
        background = [asyncio.create_task(work) for work in (self._tell(), self._sweep())]
        try:
            async with self._load:
                await self._soak()
            differences = await self._settled()
        finally:
            for task in background:
                task.cancel()
            await asyncio.wait(background)
        evidence = Evidence(
            asked={request_id: asked.watchers for request_id, asked in self._load.asked.items()},
            logs=await asyncio.to_thread(self._observed.logs),
            order=await asyncio.to_thread(self._observed.order),
            slots=SLOTS,
            view_differences=differences,
            troubles=self._load.troubles,
        )
        found = judge.faults(evidence)
        for fault in found[:_TOLD_AT_MOST]:
            print(fault)
        if len(found) > _TOLD_AT_MOST:
            print(f"... and {len(found) - _TOLD_AT_MOST} more")
        print(self._figures(evidence, len(found), time.monotonic() - started))
        return 1 if found else 0

    async def _soak(self) -> None:
        ends = time.monotonic() + 60 * self._minutes
        self._phase, self._until = "soaking", ends
        harming = asyncio.create_task(self._harm.run(ends))
        loading = asyncio.create_task(self._load.run(ends))
        await asyncio.wait((harming, loading), timeout=60 * self._minutes, return_when=asyncio.FIRST_EXCEPTION)
        self._phase, self._until = "draining", ends + DRAIN_S
        await asyncio.wait((harming, loading), timeout=DRAIN_S, return_when=asyncio.FIRST_EXCEPTION)
        for task in (harming, loading):
            if task.done():
                task.result()
            else:
                self._load.troubles.append(f"not everybody heard of an end within {DRAIN_S:g} s after the load")
                task.cancel()
        await asyncio.wait((harming, loading))

    async def _settled(self) -> list[str]:
        """Where the views differ from the log, once they had the time to come up to it."""
        self._phase, self._until = "waiting for the views", time.monotonic() + VIEWS_S
        while True:
            differences = await asyncio.to_thread(self._observed.differences)
            if not differences or time.monotonic() > self._until:
                return differences
            await asyncio.sleep(1)

    async def _sweep(self) -> None:
        while True:
            await asyncio.to_thread(sweep, self._stack)
            await asyncio.sleep(_SWEEP_S)

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_TELL_S)
            minutes, seconds = divmod(max(0, round(self._until - time.monotonic())), 60)
            left = f"{minutes}:{seconds:02d} left" if self._phase == "soaking" else f"at most {minutes}:{seconds:02d}"
            asked, unheard = len(self._load.asked), len(self._load.open)
            harm = _listed(self._harm.done)
            print(
                f"{self._phase}, {left}: {asked} submitted, {asked - unheard} ended, {unheard} open; {harm}", flush=True
            )

    def _figures(self, evidence: Evidence, faults: int, took_s: float) -> str:
        ended, attempts = judge.ended(evidence), judge.attempts(evidence)
        most = max(judge.most_running(evidence.order).values(), default=0)
        requests, finished = len(evidence.asked), ended.total()
        return (
            f"soak {'FAILED' if faults else 'ok'}: {faults} faults, seed {self._seed}, {took_s / 60:.1f} min; "
            f"{requests} requests submitted {'=' if requests == finished else '≠'} {finished} finished ("
            f"{ended['RequestCompleted']} completed, {ended['RequestFailed']} failed, "
            f"{ended['RequestCancelled']} cancelled); "
            f"{attempts['started']} attempts, {attempts['retried']} retried, {attempts['lost']} lost; "
            f"at most {most} of {SLOTS} at a time; {len(evidence.order)} events; "
            f"{_listed(self._load.counts)}; {_listed(self._harm.done)}"
        )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "no harm"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="of load; 3 unless told")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="of what is asked for and broken")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
