"""Verifying JWTs: a fixed algorithm for the one key that the stack is given, and every claim required."""

from collections.abc import Iterator, Mapping
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

    def candidates(self, token: str) -> Iterator[Any]:
        """The keys to verify the token with, each only when the one before it did not fit."""


class Secret(Protocol):
    """A secret that may have been changed."""

    def current(self) -> str:
        """What tokens are signed with now."""

    def previous(self) -> str | None:
        """What they were signed with before, if anything."""

    def renewed(self) -> str | None:
        """What they are signed with now, if that has changed meanwhile."""


class SharedKey:
    """One HS256 secret, and the one before it."""

    algorithms: tuple[str, ...] = ("HS256",)

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def candidates(self, token: str) -> Iterator[str]:  # noqa: ARG002 - the same for every token
        """The secret, then the one before it, then one that has just been made."""
        for version in (self._secret.current, self._secret.previous, self._secret.renewed):
            if secret := version():
                yield secret


class _Published(jwt.PyJWKClient):
    """Tells an issuer that gives no keys, whatever it gives, from a token that is none."""

    def fetch_data(self) -> Any:
        """The keys as the issuer publishes them."""
        try:
            return super().fetch_data()
        except (jwt.PyJWTError, ValueError, OSError) as exc:
            raise Unavailable("no keys", operation="fetch keys") from exc


class PublishedKeys:
    """The public keys at a JWKS address, fetched once and again when a key is unknown."""

    algorithms: tuple[str, ...] = ("RS256", "ES256")

    def __init__(self, url: str) -> None:
        self._keys = _Published(url, timeout=JWKS_TIMEOUT_S)

    def candidates(self, token: str) -> Iterator[Any]:
        """The key that the token's header names, bound to its own algorithm: no token chooses another one."""
        yield self._keys.get_signing_key_from_jwt(token)


def verify(token: str, keys: Keys, issuer: str, audience: str) -> Identity:
    """The identity that a token proves; Unauthorized, without the reason, when it proves none.

    Unavailable when the keys cannot be fetched: then nobody knows.
    """
    if len(token) > LONGEST_TOKEN:
        raise Unauthorized
    try:
        for key in keys.candidates(token):
            try:
                claims: Mapping[str, Any] = jwt.decode(
                    token,
                    key,
                    algorithms=list(keys.algorithms),
                    issuer=issuer,
                    audience=audience,
                    leeway=LEEWAY,
                    options={"require": list(REQUIRED)},
                )
            except jwt.InvalidSignatureError:
                continue
            return _identity(claims)
    except (jwt.PyJWTError, ValueError) as exc:
        raise Unauthorized from exc
    raise Unauthorized


def _identity(claims: Mapping[str, Any]) -> Identity:
    scope = claims.get("scope", "")
    if not all(isinstance(text, str) for text in (claims["sub"], claims["tenant_id"], scope)):
        raise Unauthorized
    try:
        expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise Unauthorized from exc
    return Identity(
        tenant_id=claims["tenant_id"],
        user_id=claims["sub"],
        scopes=frozenset(scope.split()),
        expires_at=expires_at,
    )
