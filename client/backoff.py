"""Back-off: how long to wait before trying again, longer each time and never in step with other clients."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

Sleep = Callable[[float], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential with full jitter: a wait is anything up to a bound that doubles until the cap.

    tries: how often to try before giving up; the defaults make that about three minutes.
    random: a number from 0 up to 1.   sleep: lets seconds pass.
    """

    base: timedelta = timedelta(milliseconds=200)
    cap: timedelta = timedelta(seconds=20)
    tries: int = 22
    random: Callable[[], float] = random.random
    sleep: Sleep = asyncio.sleep

    def waits(self, tries: int | None = None) -> Iterator[timedelta]:
        """The wait before each further try."""
        bound = min(self.cap, self.base)
        for _ in range(self.tries if tries is None else tries):
            yield bound * self.random()
            bound = min(self.cap, bound * 2)
