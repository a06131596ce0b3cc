"""A connection: one open WebSocket and whose it is."""

from datetime import datetime, timedelta
from typing import Final

from domain.identity import Identity
from domain.validity import LONGEST_ADDRESS, Checked, as_text

CONNECTION_TTL: Final = timedelta(hours=24)
LONGEST_LIFE: Final = timedelta(hours=2)  # the platform closes every socket then
ACTIVITY_INTERVAL: Final = timedelta(minutes=1)


class Connection(Checked, frozen=True):
    """One open socket. `ends_at` is when it must be closed, at the latest; `expires_at` when its row may go.

    `correlation_id` is the id under which the platform took its $connect in.
    """

    connection_id: str
    tenant_id: str
    user_id: str
    connected_at: datetime
    last_active_at: datetime
    ends_at: datetime
    expires_at: datetime
    source_ip: str = ""
    user_agent: str = ""
    correlation_id: str = ""


def opened(
    connection_id: str, identity: Identity, now: datetime, source_ip: str, user_agent: str, correlation_id: str = ""
) -> Connection:
    """The connection that a caller opens now. It ends with its token, or where the platform ends it."""
    return Connection(
        connection_id=connection_id,
        tenant_id=identity.tenant_id,
        user_id=identity.user_id,
        connected_at=now,
        last_active_at=now,
        ends_at=min(identity.expires_at, now + LONGEST_LIFE),
        expires_at=now + CONNECTION_TTL,
        source_ip=as_text(source_ip, LONGEST_ADDRESS),
        user_agent=as_text(user_agent),
        correlation_id=correlation_id,
    )
