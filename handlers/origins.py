"""Which web pages may get in: a browser tells the origin of the page that asks, and no page can change that."""

from collections.abc import Mapping
from typing import Any, Final

from domain.errors import Unauthorized
from handlers.settings import settings

_ANY: Final = "*"


def require_origin(event: Mapping[str, Any]) -> None:
    """Unauthorized for a page of an origin that is not allowed; who is no browser names none and is let by."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if "origin" not in headers:
        return
    allowed = [origin.strip() for origin in settings().allowed_origins.split(",")]
    if _ANY not in allowed and headers["origin"] not in allowed:
        raise Unauthorized("a page of an origin that is not allowed")
