"""The harm: processes are killed or frozen past the lease, and sockets are cut, at random, while the load goes on."""

import asyncio
import os
import signal
import time
from collections import Counter
from contextlib import suppress
from random import Random
from typing import Final

from local.stack import Stack
from tests.kit.stacks import has_worked, is_busy, processes_of
from tests.soak.load import Load

_PAUSE_S: Final = (2.0, 6.0)  # between two harms
_MOST_FROZEN: Final = 2  # at a time: the other workers must go on
# What may happen, and how often.
_HARMS: Final = {"Work": 4, "ProjectViews": 1, "NotifySubscribers": 1, "freeze": 4, "drop": 2}


class Harm:
    """What harms a stack. `done` counts what it did."""

    def __init__(self, stack: Stack, load: Load, seed: int, lease_s: float) -> None:
        self._stack = stack
        self._load = load
        self._random = Random(f"{seed}/harm")
        self._lease_s = lease_s
        self._frozen: set[int] = set()
        self.done: Counter[str] = Counter()

    async def run(self, ends: float) -> None:
        """Do harm until then; what was frozen goes on before it returns."""
        try:
            async with asyncio.TaskGroup() as thaws:
                while (left := ends - time.monotonic()) > 0:
                    await asyncio.sleep(min(left, self._random.uniform(*_PAUSE_S)))
                    (what,) = self._random.choices([*_HARMS], [*_HARMS.values()])
                    if what == "drop":
                        self.done["sockets cut"] += self._load.drop(self._random)
                    elif what == "freeze":
                        self._freeze(thaws)
                    else:
                        self._kill(what)
        finally:
            for process in [*self._frozen]:
                self._thaw(process)

    def _kill(self, function: str) -> None:
        process = self._one_of(function)
        if process is not None and _signalled(process, signal.SIGKILL):
            self._frozen.discard(process)
            self.done["workers killed" if function == "Work" else "projectors killed"] += 1

    def _freeze(self, thaws: asyncio.TaskGroup) -> None:
        process = self._one_of("Work")
        if process is None or process in self._frozen or len(self._frozen) >= _MOST_FROZEN:
            return
        if _signalled(process, signal.SIGSTOP):
            self._frozen.add(process)
            self.done["workers frozen"] += 1
            thaws.create_task(self._thaw_later(process))

    async def _thaw_later(self, process: int) -> None:
        """Let it go on when its lease is over and, most likely, another worker has its request."""
        await asyncio.sleep(self._lease_s * self._random.uniform(1.2, 3))
        self._thaw(process)

    def _thaw(self, process: int) -> None:
        if process in self._frozen:
            self._frozen.discard(process)
            _signalled(process, signal.SIGCONT)

    def _one_of(self, function: str) -> int | None:
        """A process of the function, rather one that is in the middle of a request."""
        processes = sorted(filter(has_worked, processes_of(self._stack, function)))
        busy = [process for process in processes if is_busy(process)]
        return self._random.choice(busy or processes) if processes else None


def _signalled(process: int, sign: signal.Signals) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, sign)
        return True
    return False
