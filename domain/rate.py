"""A rate limit: a bucket of `burst` tokens that fills at `per_second`, kept as one number.

The number is the bucket's theoretical arrival time (GCRA): when the bucket will be full again if nobody takes any more.
Taking n tokens moves it n intervals on; what lies further ahead than a whole bucket takes to fill is not granted. It
counts exactly as a bucket does that is filled bit by bit, and nothing has to be done while nobody asks.

    now                          arrival time          now + burst · interval
    |———— tokens that are out ————|———— tokens that are left ————|

Times are whole microseconds since 1970: fine enough for thousands a second, and DynamoDB can compare and add them.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from domain.instant import EPOCH

# Clocks that differ and whoever takes more than a bucket holds may go beyond it, but never so far.
SLACK: Final = timedelta(minutes=1)
_MICROSECOND: Final = timedelta(microseconds=1)


class Rate(Struct, frozen=True):
    """So many a second in the long run, and so many at once after a pause."""

    per_second: int
    burst: int

    def __post_init__(self) -> None:
        if self.per_second < 1 or self.burst < 1:
            raise ValueError(f"a rate is 1 or more a second with a burst of 1 or more, not {self}")

    @property
    def interval(self) -> timedelta:
        """How long one token takes, in whole microseconds and rather more than less."""
        return -(-timedelta(seconds=1) // (self.per_second * _MICROSECOND)) * _MICROSECOND

    def at_least_for(self, tokens: int) -> timedelta:
        """How long at least so many tokens last, however they are taken."""
        return max(0, tokens - self.burst) * self.interval


class Taking(Struct, frozen=True):
    """Taking tokens now: whether they are granted, which depends only on the stored arrival time (None: never any).

    Who takes more than the bucket holds is granted them when it is full, and the next one waits for the rest.
    """

    rate: Rate
    now: datetime
    tokens: int = 1

    @property
    def present(self) -> int:
        """Now."""
        return (self.now - EPOCH) // _MICROSECOND

    @property
    def cost(self) -> int:
        """How far the arrival time moves on."""
        return self.tokens * (self.rate.interval // _MICROSECOND)

    @property
    def latest(self) -> int:
        """The latest arrival time at which the tokens are there."""
        left = self.rate.burst - min(self.tokens, self.rate.burst)
        return self.present + left * (self.rate.interval // _MICROSECOND)

    @property
    def beyond(self) -> int:
        """No arrival time of this rate is after this; one that is was left by another rate, or by a wrong clock."""
        return self.present + (self.rate.burst * self.rate.interval + SLACK) // _MICROSECOND

    def is_full(self, arrival: int | None) -> bool:
        """Whether the bucket is full now: nothing is out, or what is stored says nothing about this rate."""
        return arrival is None or arrival <= self.present or arrival > self.beyond

    def after(self, arrival: int | None) -> int:
        """The arrival time once the tokens are taken."""
        start = self.present if arrival is None or self.is_full(arrival) else arrival
        return start + self.cost

    def wait(self, arrival: int | None) -> timedelta:
        """How long until the tokens would be granted; zero when they are now."""
        if arrival is None or self.is_full(arrival):
            return timedelta(0)
        return max(0, arrival - self.latest) * _MICROSECOND
