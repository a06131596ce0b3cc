"""A clock that stands still until it is told to go on, with ids that count."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters.clock import Clock
from domain.instant import to_instant

START: Final = datetime(2026, 11, 22, 8, 24, 41, 120_000, tzinfo=UTC)


class FakeClock(Clock):
    """The sources of time, ids and randomness in a test's hands."""

    def __init__(self, now: datetime = START, jitter: float = 0.5) -> None:
        self._now = to_instant(now)
        self._monotonic = 0.0
        self._jitter = jitter
        self._ids = 0

    def now(self) -> datetime:
        """The instant that the test has set."""
        return self._now

    def monotonic(self) -> float:
        """The seconds that `advance` has let pass."""
        return self._monotonic

    def jitter(self) -> float:
        """Always the same number."""
        return self._jitter

    def event_id(self) -> str:
        """32 hexadecimal digits that count up."""
        self._ids += 1
        return f"{self._ids:032x}"

    def request_id(self) -> str:
        """A UUID of version 7: the time that was set, and a count."""
        self._ids += 1
        milliseconds = int(self._now.timestamp() * 1000)
        return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | self._ids))

    def set(self, now: datetime) -> None:
        """Go to an instant, forwards or back; the monotonic seconds stay."""
        self._now = to_instant(now)

    def set_jitter(self, jitter: float) -> None:
        """Let the random number be this one from now on."""
        self._jitter = jitter

    def advance(self, seconds: float = 0, *, by: timedelta = timedelta(0)) -> datetime:
        """Let time pass; the instant it is then."""
        passed = by + timedelta(seconds=seconds)
        self._now = to_instant(self._now + passed)
        self._monotonic += passed.total_seconds()
        return self._now
