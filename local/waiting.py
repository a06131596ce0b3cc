"""Waiting for something that other processes bring about."""

import time
from collections.abc import Callable

_POLL_SECONDS = 0.05


def until(happened: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until it happened, at most this long; False if it did not."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
