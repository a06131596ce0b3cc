"""Whether a tenant has room for more; apart from the limits of frames, for $connect starts without reading any."""

from datetime import timedelta
from typing import Final

from adapters.tenant_room import TenantRoom
from domain.errors import RateLimited, Unavailable
from domain.rate import Rate
from handlers import bootstrap
from handlers.settings import settings

PAUSE: Final = timedelta(seconds=1)  # where nobody can tell how long it takes


def require_socket(tenant_id: str) -> None:
    """RateLimited when as many connections of the tenant are open as may."""
    most = settings().tenant_connections
    if most and is_full(bootstrap.connected(), tenant_id, most, None):
        raise RateLimited("too many of the tenant's connections are open", limit="connections", retry_after=PAUSE)


def is_full(room: TenantRoom, tenant_id: str, most: int, growth: Rate | None) -> bool:
    """Whether as many are there as may; no, when it cannot be looked up."""
    try:
        return room.is_full(tenant_id, most, growth)
    except Unavailable as exc:
        bootstrap.logger().warning("gauge not read", extra={"tenant_id": tenant_id, "error": str(exc)})
        return False
