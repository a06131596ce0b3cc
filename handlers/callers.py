"""Who sends a frame: the identity that the authorizer put into the socket's context."""

from collections.abc import Mapping
from typing import Any

from domain.errors import Unauthorized
from domain.identity import Identity
from domain.instant import from_text


def identity_of(event: Mapping[str, Any]) -> Identity:
    """The caller of a WebSocket event; Unauthorized when the authorizer left none."""
    claims = event["requestContext"].get("authorizer") or {}
    try:
        return Identity(
            tenant_id=claims["tenant_id"],
            user_id=claims["user_id"],
            scopes=frozenset(claims["scopes"].split()),
            expires_at=from_text(claims["ends_at"]),
        )
    except (KeyError, ValueError, AttributeError, TypeError) as exc:
        raise Unauthorized("no identity") from exc
