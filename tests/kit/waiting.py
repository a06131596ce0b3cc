"""Waiting in a test for what other processes bring about."""

import asyncio
from collections.abc import Callable
from typing import Final

_LOOKS: Final = 480  # a bound for what never comes, not a time that is expected
_BETWEEN_S: Final = 0.25


async def becomes_true(happened: Callable[[], bool]) -> None:
    """Wait until it happened; AssertionError when it never does. The looking is done in a thread."""
    for _ in range(_LOOKS):
        if await asyncio.to_thread(happened):
            return
        await asyncio.sleep(_BETWEEN_S)
    raise AssertionError("it never happens")
