"""$connect: note the new socket and whose it is."""

from collections.abc import Mapping
from typing import Any

from domain.connection import opened
from domain.errors import RateLimited, Rejected
from handlers import bootstrap
from handlers.callers import identity_of
from handlers.room import require_socket


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001 - Lambda's signature
    """Let the socket open once its row is stored."""
    about = event["requestContext"]
    client = about.get("identity") or {}
    now = bootstrap.CLOCK.now()
    try:
        identity = identity_of(event)
        identity.require_alive(now)
        require_socket(identity.tenant_id)
    except RateLimited as exc:
        bootstrap.logger().warning("connect refused", extra={"reason": exc.told})
        return {"statusCode": 429}
    except Rejected as exc:
        bootstrap.logger().warning("connect refused", extra={"reason": exc.told})
        return {"statusCode": 401}
    connection = opened(
        about["connectionId"],
        identity,
        now,
        client.get("sourceIp") or "",
        client.get("userAgent") or "",
        about.get("requestId") or "",
    )
    bootstrap.connections().save(connection)
    return {"statusCode": 200}
