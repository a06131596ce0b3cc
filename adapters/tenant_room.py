"""Whether a tenant has room for more, by a gauge of the metrics view, read no more often than it takes.

A gauge is behind the log by as long as the stream takes, and what was read is used for a while; so a limit may be
overshot by what comes in meanwhile, which the rate limit bounds: burst + per_second · (stream's delay + FRESH).
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from msgspec import Struct

from adapters.clock import Clock
from domain.rate import Rate

FRESH: Final = timedelta(milliseconds=500)
LONGEST: Final = timedelta(seconds=10)  # however much room there is: what else comes in is under no rate limit
REMEMBERED: Final = 10_000


class _Seen(Struct, frozen=True):
    count: int
    until: float


class TenantRoom:
    """How much each tenant has of what there is a limit to."""

    def __init__(self, gauge: Callable[[str], int], clock: Clock, remembered: int = REMEMBERED) -> None:
        self._gauge = gauge
        self._clock = clock
        self._remembered = remembered
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def is_full(self, tenant_id: str, limit: int, growth: Rate | None = None) -> bool:
        """Whether the tenant has as much as it may; `growth` is how fast that may become more."""
        seen = self._seen.get(tenant_id)
        if seen is None or seen.until <= self._clock.monotonic():
            seen = self._look(tenant_id, limit, growth)
        return seen.count >= limit

    def _look(self, tenant_id: str, limit: int, growth: Rate | None) -> _Seen:
        count = self._gauge(tenant_id)
        lasting = growth.at_least_for(limit - count) if growth else FRESH
        lasting = min(LONGEST, max(FRESH, lasting))
        seen = self._seen[tenant_id] = _Seen(count, self._clock.monotonic() + lasting.total_seconds())
        self._seen.move_to_end(tenant_id)
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        return seen
