"""A function URL: POST with a bearer token, get a ticket that opens one socket within half a minute."""

from collections.abc import Mapping
from typing import Any

from domain import exact_json
from domain.errors import ErrorCode, Rejected, Unavailable
from handlers import bootstrap
from handlers.credentials import identify
from handlers.origins import require_origin


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Answer with a ticket, or 401 without the reason."""
    if event.get("requestContext", {}).get("http", {}).get("method") != "POST":
        return _answer(405, {"code": ErrorCode.VALIDATION_ERROR, "message": "POST with a bearer token"})
    try:
        require_origin(event)
        identity = identify({"headers": event.get("headers")})
        ticket = bootstrap.tickets().issue(identity, bootstrap.CLOCK.now())
    except Rejected as exc:
        bootstrap.logger().warning("ticket refused", extra={"reason": exc.told})
        bootstrap.count("TicketsRefused", 1)
        return _answer(401, {"code": ErrorCode.UNAUTHORIZED, "message": "A valid token is required"})
    except Unavailable:
        bootstrap.logger().exception("no ticket issued")
        return _answer(503, {"code": ErrorCode.INTERNAL_ERROR, "message": "Try again later"})
    return _answer(200, {"ticket": ticket})


def _answer(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store"},
        "body": exact_json.encode(body),
    }
