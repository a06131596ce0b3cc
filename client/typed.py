"""Typed results: reading a JSON value as what its user expects."""

from datetime import timedelta
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from client.errors import UnexpectedResult
from domain.reasons import reasons

Kind = TypeVar("Kind")
Timeout = timedelta | float | None

_ADAPTERS: Final[dict[Any, TypeAdapter[Any]]] = {}


def typed(value: Any, kind: type[Kind]) -> Kind:
    """The value as a kind: a pydantic model or anything else that pydantic reads; UnexpectedResult when it is none."""
    adapter: TypeAdapter[Kind] = _ADAPTERS.get(kind) or _ADAPTERS.setdefault(kind, TypeAdapter(kind))
    try:
        return adapter.validate_python(value)
    except ValidationError as exc:
        raise UnexpectedResult(reasons(exc), value) from exc


def seconds(timeout: Timeout) -> float | None:
    """A time-out as the standard library wants it."""
    return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
