"""Waiting before another try: exponential with full jitter, so that those who collided do not collide again."""

import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Final

FIRST: Final = timedelta(milliseconds=20)
LONGEST: Final = timedelta(milliseconds=500)


class Backoff:
    """The waits between tries; tests put a class with the same methods in its place."""

    def waits(self, tries: int) -> Iterator[Callable[[], None]]:
        """One wait a try, to be called when the try failed; after the last there is nothing to wait for."""
        for attempt in range(tries - 1):
            yield partial(self.wait, min(LONGEST, FIRST * 2**attempt))
        yield partial(self.wait, timedelta(0))

    def wait(self, longest: timedelta) -> None:
        """Wait for up to so long."""
        time.sleep(random.uniform(0, longest.total_seconds()))  # noqa: S311 - spreads retries, keeps no secret

    def choose(self, many: int) -> int:
        """One of so many, 0 to many - 1."""
        return random.randrange(many)  # noqa: S311 - spreads writers, keeps no secret


ASLEEP: Final = Backoff()
