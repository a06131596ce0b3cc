"""Threads that meet: each has done what comes before a call when the first one makes it."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.adapters.wrapped import Wrapped

PATIENCE_S = 30  # a test that fails does so here instead of hanging

T = TypeVar("T")


def race(runners: Sequence[Callable[[], T]], client: Wrapped, *, before: str) -> list[T]:
    """What each runner gave; all of them stand before the operation when the first one goes on."""
    meeting = threading.Barrier(len(runners))
    for _ in runners:
        client.first(before, lambda: meeting.wait(PATIENCE_S))
    with ThreadPoolExecutor(len(runners)) as pool:
        return [future.result(PATIENCE_S) for future in [pool.submit(run) for run in runners]]
