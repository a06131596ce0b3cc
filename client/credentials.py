"""What a client shows to get in: a token in a header, or a one-use ticket in the address. Never a token in an address.

A provider is a function, plain or async, that is asked again for each connect. A plain one may take its time: it is
called in a thread.
"""

import asyncio
import base64
import binascii
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from client.errors import ClientError, ConnectionLost, ConnectRefused
from domain import exact_json
from domain.errors import InvalidJson

Provider = Callable[[], str | Awaitable[str]]
Token = str | Provider

EARLY: Final = timedelta(seconds=45)  # before a token ends, its connection is replaced
SHORTEST: Final = timedelta(seconds=15)  # between two connects, however soon tokens end
_NEVER: Final = 10**10  # seconds since 1970


@dataclass(slots=True)
class Credentials:
    """The token or the provider of tickets that a client was given."""

    token: Token | None = field(default=None, repr=False)
    ticket: Provider | None = field(default=None, repr=False)
    _ends_at: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if (self.token is None) == (self.ticket is None):
            raise TypeError("either token or ticket")

    async def shown(self) -> tuple[Mapping[str, str], str]:
        """The headers and the query for the next connect."""
        if self.ticket is not None:
            ticket = await _given(self.ticket)
            if _claims(ticket) is not None:
                raise ConnectRefused("a JWT is no ticket: addresses are logged")
            return {}, f"ticket={quote(ticket, safe='')}"
        token = self.token if isinstance(self.token, str) else await _given(self.token)
        # One that cannot be renewed is used to its end.
        self._ends_at = None if isinstance(self.token, str) else _end(_claims(token) or {})
        return {"Authorization": f"Bearer {token}"}, ""

    def life(self) -> timedelta | None:
        """How long a connection made with the newest token may be used; None when nothing tells."""
        if self._ends_at is None:
            return None
        return max(SHORTEST, timedelta(seconds=self._ends_at - time.time()) - EARLY)


async def _given(provider: Provider | None) -> str:
    """What a provider gives; whatever it raises is a connection that is not there yet."""
    if provider is None:
        raise ConnectionLost("no token")
    try:
        given = provider() if inspect.iscoroutinefunction(provider) else await asyncio.to_thread(provider)
        return given if isinstance(given, str) else await given
    except ClientError:
        raise
    except Exception as exc:  # whatever the caller's own function raises
        raise ConnectionLost("the provider of tokens or tickets failed") from exc


def _end(claims: Mapping[str, Any]) -> float | None:
    """When a token ends, in seconds since 1970; None when it does not say so in a number."""
    ends_at = claims.get("exp")
    return float(min(max(ends_at, 0), _NEVER)) if isinstance(ends_at, int | Decimal) else None


def _claims(token: str) -> Mapping[str, Any] | None:
    """What a JWT says, unverified; None when a text is no JWT."""
    parts = token.split(".")
    try:
        claims = exact_json.decode(base64.urlsafe_b64decode(parts[1] + "==")) if len(parts) == 3 else None  # noqa: PLR2004 - header, claims, signature
    except (binascii.Error, InvalidJson, ValueError):
        return None
    return claims if isinstance(claims, dict) else None
