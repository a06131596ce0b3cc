"""What runs beside a function's own thread, how it waits, and what cuts it short: the only way to any of it.

A simulation has its own in place of these, where nothing runs at the same time and waiting costs no time.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from types import TracebackType
from typing import Final, Protocol, TypeVar

from adapters.deadline import deadline

T = TypeVar("T")
R = TypeVar("R")


class Event(Protocol):
    """A flag that can be waited for."""

    def is_set(self) -> bool:
        """Whether it is up."""

    def set(self) -> None:
        """Put it up."""

    def wait(self, timeout: float | None = None) -> bool:
        """Let seconds pass, at most until it is up; whether it is."""


class Lock(Protocol):
    """A lock that its holder may take again."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> object: ...


class Running(Protocol):
    """Work in the background."""

    def join(self) -> None:
        """Wait for its end."""


class Pool(Protocol):
    """Threads that share the work."""

    def map(self, work: Callable[[T], R], items: Iterable[T], /) -> Iterator[R]:
        """What the work gives for each item, in their order."""


class Threads:
    """The threads of this process."""

    def event(self) -> Event:
        """A flag that is down."""
        return threading.Event()

    def lock(self) -> Lock:
        """A lock that nobody holds."""
        return threading.RLock()

    def start(self, name: str, work: Callable[[], None]) -> Running:
        """Begin work in the background; it does not keep the process alive."""
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread

    def pool(self, size: int, name: str) -> Pool:
        """So many threads."""
        return ThreadPoolExecutor(size, thread_name_prefix=name)

    def deadline(self, limit: timedelta) -> AbstractContextManager[None]:
        """Raise DeadlineExceeded in the block once the limit has passed."""
        return deadline(limit)


THREADS: Final = Threads()
