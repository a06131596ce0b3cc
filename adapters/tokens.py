"""Verifying JWTs: a fixed algorithm for the one key that the stack is given, and every claim required."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import jwt

from domain.errors import Unauthorized, Unavailable
from domain.identity import Identity

LEEWAY: Final = timedelta(seconds=10)
REQUIRED: Final = ("exp", "iat", "iss", "aud", "sub", "tenant_id")
JWKS_TIMEOUT_S: Final = 3
LONGEST_TOKEN: Final = 4096


class Keys(Protocol):
    """Where the key for a token comes from, and the algorithms that it may be used with."""

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The only algorithms that may be used with it."""

    def key(self, token: str) -> Any:
        """The key to verify the token with."""


class SharedKey:
    """One HS256 secret."""

    algorithms: tuple[str, ...] = ("HS256",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def key(self, token: str) -> str:  # noqa: ARG002 - one key for every token
        """The secret."""
        return self._secret


class PublishedKeys:
    """The public keys at a JWKS address, fetched once and again when a key is unknown."""

    algorithms: tuple[str, ...] = ("RS256", "ES256")

    def __init__(self, url: str) -> None:
        self._keys = jwt.PyJWKClient(url, timeout=JWKS_TIMEOUT_S)

    def key(self, token: str) -> Any:
        """The key that the token's header names, bound to its own algorithm: no token chooses another one."""
        return self._keys.get_signing_key_from_jwt(token)


def verify(token: str, keys: Keys, issuer: str, audience: str) -> Identity:
    """The identity that a token proves; Unauthorized, without the reason, when it proves none.

    Unavailable when the keys cannot be fetched: then nobody knows.
    """
    if len(token) > LONGEST_TOKEN:
        raise Unauthorized
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            keys.key(token),
            algorithms=list(keys.algorithms),
            issuer=issuer,
            audience=audience,
            leeway=LEEWAY,
            options={"require": list(REQUIRED)},
        )
    except jwt.PyJWKClientConnectionError as exc:
        raise Unavailable("no keys", operation="fetch keys") from exc
    except (jwt.PyJWTError, ValueError) as exc:
        raise Unauthorized from exc
    return _identity(claims)


def _identity(claims: Mapping[str, Any]) -> Identity:
    scope = claims.get("scope", "")
    if not all(isinstance(text, str) for text in (claims["sub"], claims["tenant_id"], scope)):
        raise Unauthorized
    try:
        expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (ValueError, OverflowError) as exc:
        raise Unauthorized from exc
    return Identity(
        tenant_id=claims["tenant_id"],
        user_id=claims["sub"],
        scopes=frozenset(scope.split()),
        expires_at=expires_at,
    )
