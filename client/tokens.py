"""Tokens for the stack on this machine, signed with its own key, or with one that the user has."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

import jwt

from client.errors import ClientError

DEFAULT_TTL: Final = timedelta(hours=1)


class Signer(Protocol):
    """What of a stack makes its tokens."""

    @property
    def token_key(self) -> str | None:
        """The secret; only the stack on this machine tells it."""

    @property
    def issuer(self) -> str:
        """Who its tokens are from."""

    @property
    def audience(self) -> str:
        """Whom its tokens are for."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer whose key the user has."""

    token_key: str | None = field(repr=False)
    issuer: str
    audience: str


class NoTokenKey(ClientError):
    """Only the stack on this machine tells its key."""

    message = (
        "Cannot make a token for this stack; bring one with --token or STREAMER_TOKEN, "
        "or make one with `streamer token --issuer` and its key in STREAMER_TOKEN_KEY"
    )


def make_token(
    stack: Signer, *, tenant: str, user: str, now: datetime, scopes: Iterable[str] = (), ttl: timedelta = DEFAULT_TTL
) -> str:
    """A JWT for a user of a tenant, valid for ttl from now on."""
    if not stack.token_key:
        raise NoTokenKey
    claims = {
        "iss": stack.issuer,
        "aud": stack.audience,
        "sub": user,
        "tenant_id": tenant,
        "scope": " ".join(scopes),
        "iat": now,
        "exp": now + ttl,
    }
    return jwt.encode(claims, stack.token_key, algorithm="HS256")
