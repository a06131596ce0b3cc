"""A deadline for code that does not watch the clock itself: an action."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Never

from domain.errors import DeadlineExceeded


class _Overrun(BaseException):
    """Raised by the alarm: no Exception, so that neither botocore's retries nor an action's own handlers take it."""


@contextmanager
def deadline(limit: timedelta) -> Iterator[None]:
    """Raise DeadlineExceeded in the block once the limit has passed.

    An alarm signal interrupts also what waits or computes; only a main thread can have one, and Lambda runs handlers
    in it. An unfinished block leaves no thread behind, as waiting for it in another thread would.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a deadline needs the main thread")

    def expire(number: int, frame: FrameType | None) -> Never:  # noqa: ARG001 - a signal handler's signature
        raise _Overrun

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, max(limit.total_seconds(), 0.001))
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)  # until here the alarm may go off, also when the block has ended
    except _Overrun as exc:
        raise DeadlineExceeded(f"no answer within {limit.total_seconds():g} s") from exc
    finally:
        signal.signal(signal.SIGALRM, before)
