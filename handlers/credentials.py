"""What a caller shows to get in: a bearer token in a header, or a one-use ticket in the query."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from adapters.token_secret import TokenSecret
from adapters.tokens import Keys, PublishedKeys, SharedKey, verify
from domain.errors import Unauthorized
from domain.identity import Identity
from handlers.settings import settings


def identify(event: Mapping[str, Any]) -> Identity:
    """The identity that a request proves; Unauthorized when it proves none."""
    query = event.get("queryStringParameters") or {}
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    kind, _, token = headers.get("authorization", "").partition(" ")
    if token and kind.lower() == "bearer":
        return verify(token.strip(), _keys(), settings().token_issuer, settings().token_audience)
    if "ticket" in query:
        from handlers.bootstrap import CLOCK, tickets  # noqa: PLC0415 - botocore is loaded only to redeem a ticket

        return tickets().redeem(query["ticket"], CLOCK.now())
    raise Unauthorized("neither a bearer token nor a ticket")


@cache
def _keys() -> Keys:
    here = settings()
    if here.token_jwks_url:
        return PublishedKeys(here.token_jwks_url)
    if not here.token_secret:
        raise Unauthorized("this stack was given no key")
    return SharedKey(TokenSecret(here.token_secret))
