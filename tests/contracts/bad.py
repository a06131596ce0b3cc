"""What each kind of argument is not, by the argument's name; and a value of each that every door takes."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from domain.events import Failure
from tests.contracts.logs import BAD_IDS
from tests.kit.clock import START

INFINITE: Final = (float("nan"), float("inf"), float("-inf"), Decimal("NaN"), Decimal("Infinity"))
NAIVE: Final = START.replace(tzinfo=None)

_IDS: Final = (*BAD_IDS, 5, b"id", None)
_NAMES: Final = (*_IDS, "a#b", "a/b", "..", " a")
_TEXTS: Final = ("x" * 257, "a\x00b", "a\x1b[1m", "\x7f", "\x85", "\ud800", 5)
_INSTANTS: Final = (NAIVE, NAIVE.date(), START.isoformat(), START.timestamp(), None)
_WHOLE: Final = (-1, 10**38, 1.5, "1", True, *INFINITE)
_NOT_JSON: Final = (*INFINITE, object(), {"a": {1}}, "\ud800", {"\ud800": 1})

BAD: Final[Mapping[str, Sequence[Any]]] = {
    **dict.fromkeys(("tenant_id", "user_id"), _NAMES),
    **dict.fromkeys(("connection_id", "request_id", "topic", "worker_id", "action", "by"), _IDS),
    **dict.fromkeys(("idempotency_key", "retry_of"), _IDS[:-1]),
    **dict.fromkeys(("correlation_id", "causation_id"), ("x" * 129, "a\nb", "\u00fc", 5)),
    **dict.fromkeys(("source_ip", "user_agent", "message"), _TEXTS),
    "reason": (*_TEXTS[1:], "x" * 1001),
    **dict.fromkeys(
        ("now", "start", "end", "created_at", "connected_at", "last_active_at", "ends_at", "since", "until", "instant"),
        _INSTANTS,
    ),
    **dict.fromkeys(("expires_at", "lease_until"), _INSTANTS),
    "day": (START, "2026-11-22", 20261122, None),
    "timeout": (timedelta(seconds=-1), timedelta(days=7, seconds=1), 5),
    "delay": (timedelta(seconds=-1), timedelta(days=7, seconds=1), 5, None),
    **dict.fromkeys(("percent", "jitter"), (*INFINITE, "5", True, None)),
    "priority": (*_WHOLE, 10, None),
    "attempt": (*_WHOLE, 101, None),
    "max_attempts": (*_WHOLE, 0, 101, None),
    "index": (*_WHOLE, None),
    "version": (*_WHOLE, 0, 10**15, None),
    "after": (*_WHOLE, 10**15, None),
    "limit": (*_WHOLE, 0, 1001),
    "cursor": ("", "a\nb", "\u00fc", "\ud800", "x" * 1025, 5),
    "key": ("", "x" * 1025, "\u00fc" * 513, "a\x00b", "\ud800", 5, None),
    **dict.fromkeys(("payload", "result", "chunk"), _NOT_JSON),
    "details": _NOT_JSON,
    "checkpoint": _NOT_JSON,
    "metadata": ({"": "a"}, {"a\nb": "a"}, {"a": "x" * 257}, {"a": 1}, {str(n): "" for n in range(17)}, [], "a"),
    "error": (Failure(code=""), Failure(code="X", message="x" * 1001), Failure(code="X", message="\x00")),
}
GOOD: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("tenant_id", "user_id", "connection_id", "request_id", "worker_id", "by"), "n-1"),
    "topic": "tenant#n-1",
    "key": "n-1/a",
    **dict.fromkeys(("now", "start", "end", "since", "until", "instant"), START),
    "day": date(2026, 11, 22),
    "after": 0,
    "limit": 10,
    "version": 1,
    "action": "echo",
}
