"""What is refused because it is too much for now, before anything of it is done.

    connection   every frame, against the bucket that this process keeps; one that costs more than the bucket's own
                 write does, also against the bucket that all processes share
    tenant       every submitted request, against a shared bucket
    queue        a request that would have to wait, against how many of the tenant's wait already
    connections  a socket that opens, against how many of the tenant's are open

A limit that cannot be looked up is not in force: better too much than nothing. Only a bucket whose own row is asked
for more than a row can take is empty for sure.
"""

from datetime import datetime, timedelta
from typing import Final

from domain import protocol
from domain.errors import RateLimited, Unavailable
from domain.protocol import AnyClientFrame
from domain.rate import Rate
from handlers import bootstrap
from handlers.room import PAUSE, is_full
from handlers.settings import settings

# One consistent read each at most, or the removal of a row: less than the write that would count them.
LIGHT: Final = (protocol.Ping, protocol.Get, protocol.Unsubscribe)
_THROTTLED: Final = frozenset({"ThrottlingException", "ProvisionedThroughputExceededException"})


def admit(frame: AnyClientFrame, tenant_id: str, connection_id: str, now: datetime) -> None:
    """Take what a frame uses up; RateLimited when that is not there."""
    if frames := _rate(settings().frames_per_second, settings().frame_burst):
        name = f"rate#connection#{connection_id}"
        _require(bootstrap.own_rates().take(name, frames, now), "connection", frames)
        if not isinstance(frame, LIGHT):
            _take(name, "connection", frames, now)
    if (submitted := _submitted_by(frame)) and (submits := _submits()):
        _take(f"rate#tenant#{tenant_id}", "tenant", submits, now, submitted)


def require_room(tenant_id: str) -> None:
    """RateLimited when as many requests of the tenant wait as may."""
    most = settings().tenant_queue_depth
    if most and is_full(bootstrap.queued(), tenant_id, most, _submits()):
        raise RateLimited("too many of the tenant's requests wait already", limit="queue", retry_after=PAUSE, most=most)


def _submitted_by(frame: AnyClientFrame) -> int:
    """How many requests a frame submits."""
    match frame:
        case protocol.Submit():
            return 1
        case protocol.SubmitBatch():
            return len(frame.items)
        case _:
            return 0


def _take(name: str, limit: str, rate: Rate, now: datetime, tokens: int = 1) -> None:
    try:
        wait = bootstrap.shared_rates().take(name, rate, now, tokens)
    except Unavailable as exc:
        bootstrap.logger().warning("limit not looked up", extra={"limit": limit, "error": str(exc)})
        wait = PAUSE if exc.context.get("code") in _THROTTLED else timedelta(0)
    _require(wait, limit, rate)


def _require(wait: timedelta, limit: str, rate: Rate) -> None:
    if wait:
        told = f"more than {rate.per_second} a second from this {limit}"
        raise RateLimited(told, limit=limit, retry_after=wait, per_second=rate.per_second, burst=rate.burst)


def _submits() -> Rate | None:
    return _rate(settings().submits_per_second, settings().submit_burst)


def _rate(per_second: int, burst: int) -> Rate | None:
    return Rate(per_second, burst) if per_second else None
