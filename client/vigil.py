"""The vigil: looking after what has fallen silent, in case a push was lost on the way.

The server pushes at most once: what it cannot post in time, to a client that reads too slowly, it leaves. A gap shows
with the next push, but a last push has none after it. So what is watched is looked at when nothing was heard of it for
a while, and then at growing pauses. A request that runs is heard of every 10 seconds at least, as its worker renews
its lease: the first look comes after more than that, so as a rule there is none.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from client.backoff import Sleep

TICK: Final = timedelta(seconds=10)
SOON: Final = 2  # ticks
LATE: Final = 30


class Patience:
    """How long to bear a silence: SOON after something was heard, then twice as long each time, at most LATE."""

    def __init__(self) -> None:
        self._silent = 0
        self._bears = SOON

    def heard(self) -> None:
        """There was news."""
        self._silent, self._bears = 0, SOON

    def tick(self) -> bool:
        """One more tick of silence; whether it is time to look."""
        self._silent += 1
        if self._silent < self._bears:
            return False
        self._silent, self._bears = 0, min(LATE, self._bears * 2)
        return True


async def keep_vigil(tick: Callable[[], None], sleep: Sleep) -> None:
    """Let the ticks pass, for ever."""
    while True:
        await sleep(TICK.total_seconds())
        tick()
