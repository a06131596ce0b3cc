"""Where time, ids and randomness come from; everything else is handed them."""

import random
import secrets
import time
import uuid
from datetime import UTC, datetime
from hashlib import sha256

from domain import exact_json
from domain.instant import to_instant


class Clock:
    """The real sources; tests put a class with the same methods in its place."""

    def now(self) -> datetime:
        """The present instant."""
        return to_instant(datetime.now(UTC))

    def monotonic(self) -> float:
        """Seconds from some point on, never going back."""
        return time.monotonic()

    def jitter(self) -> float:
        """A random number in [0, 1)."""
        return random.random()  # noqa: S311 - spreads retries, keeps no secret

    def event_id(self) -> str:
        """A new event id: 32 hexadecimal digits."""
        return uuid.uuid4().hex

    def request_id(self) -> str:
        """A new request id that sorts by time: a UUID of version 7 (RFC 9562)."""
        milliseconds = time.time_ns() // 1_000_000
        return str(uuid.UUID(int=_stamped(milliseconds << 80 | secrets.randbits(80), version=7)))


def keyed_request_id(tenant_id: str, user_id: str, idempotency_key: str) -> str:
    """The request id that an idempotency key always leads to, for this user only: a UUID of version 8."""
    digest = sha256(exact_json.encode([tenant_id, user_id, idempotency_key]).encode()).digest()
    return str(uuid.UUID(int=_stamped(int.from_bytes(digest[:16]), version=8)))


def _stamped(bits: int, version: int) -> int:
    """128 bits with the version and variant fields of a UUID set."""
    return bits & ~(0xF << 76) & ~(0b11 << 62) | version << 76 | 0b10 << 62
