"""What every store, value and command refuses at its door: one place for each kind of value.

A name means the same everywhere, so what a value must be is looked up by its name in `KINDS`: a value object checks its
fields when it is made (`Checked`), a method its arguments when it is called (`@checked`). None passes where the
annotation allows it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial, wraps
from inspect import signature
from math import isfinite
from types import NoneType
from typing import Any, Final, ParamSpec, TypeVar, get_args

from msgspec import Struct
from msgspec.structs import fields

from domain import exact_json
from domain.errors import InvalidJson, InvalidValue, PayloadTooLarge
from domain.names import LONGEST_REQUEST_ID, require, require_aware, require_id, require_name

LONGEST_ACTION: Final = 64
LONGEST_TOPIC: Final = 262  # user#128#128
LONGEST_TEXT: Final = 256
LONGEST_ADDRESS: Final = 64
LONGEST_ERROR: Final = 1000
LONGEST_KEY: Final = 1024  # bytes: S3's limit
LONGEST_CURSOR: Final = 1024
MOST_LABELS: Final = 16
MOST_LISTED: Final = 1000
MOST_ATTEMPTS: Final = 100
MAX_VERSION: Final = 10**15 - 1  # more than any log has, and a number that a table can hold
LONGEST_DELAY: Final = timedelta(days=7)
INLINE_LIMIT: Final = 16 * 1024  # bytes of JSON; above it an event carries a reference
CHUNK_LIMIT: Final = 16 * 1024  # bytes of JSON: what a push can carry along with others
DETAILS_LIMIT: Final = 1024  # bytes of JSON: they travel in the event and again in the state
CHECKPOINT_LIMIT: Final = 512  # bytes of JSON: likewise, and in every event that follows
LARGEST_JSON: Final = 4 * 1024 * 1024  # bytes of a payload or result behind a reference: it is held in memory whole
NO_CURSOR: Final = "not one that was given out"

_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")
# Control characters but tab, line feed and carriage return, and halves of surrogate pairs.
_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_HALF: Final = re.compile(r"[\ud800-\udfff]")

Kind = Callable[[str, Any], None]
P = ParamSpec("P")
R = TypeVar("R")


def as_text(value: str, longest: int = LONGEST_TEXT) -> str:
    """Whatever somebody else wrote, as text that is taken: cut, with a question mark for what is no text."""
    return _NOT_TEXT.sub("?", value[:longest])


def require_text(field: str, value: object, longest: int = LONGEST_TEXT) -> None:
    """InvalidValue unless the value is text of at most so many characters, none of them a control character."""
    fits = isinstance(value, str) and len(value) <= longest and not _NOT_TEXT.search(value)
    require(field, f"at most {longest} characters, none of them a control character", fits)


def require_whole_text(field: str, value: str) -> None:
    """InvalidValue for text with half of a surrogate pair, which no bytes stand for."""
    require(field, "half of a surrogate pair", not _HALF.search(value))


def require_whole(field: str, value: object, low: int, high: int) -> None:
    """InvalidValue unless the value is an integer between the two."""
    fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    require(field, f"an integer from {low} to {high}", fits)


def require_finite(field: str, value: object) -> None:
    """InvalidValue unless the value is a finite number."""
    fits = isinstance(value, int) or (isinstance(value, float) and isfinite(value))
    fits = fits and not isinstance(value, bool)
    require(field, "a finite number", fits)


def require_between(field: str, value: object, low: timedelta, high: timedelta) -> None:
    """InvalidValue unless the value is a duration between the two."""
    require(field, f"a duration from {low} to {high}", isinstance(value, timedelta) and low <= value <= high)


def require_json(field: str, value: object, limit: int, depth: int = exact_json.FRAME_DEPTH) -> None:
    """InvalidValue unless JSON can hold the value, PayloadTooLarge when its JSON has more bytes than the limit."""
    try:
        text = exact_json.encode(value)
        exact_json.require_shallow(value, depth)
    except InvalidJson as exc:
        raise InvalidValue(f"{field}: {exc.told}", field=field) from exc
    if len(text) > limit or len(text.encode()) > limit:
        raise PayloadTooLarge(f"{field}: at most {limit} bytes of JSON", field=field)


def require_labels(field: str, value: object) -> None:
    """InvalidValue unless the value is a dictionary of a few texts, each under an id."""
    require(field, f"at most {MOST_LABELS} labels", isinstance(value, dict) and len(value) <= MOST_LABELS)
    for name, text in value.items() if isinstance(value, dict) else ():
        require_id(field, name)
        require_text(f"{field}.{name}", text)


def require_failure(field: str, value: Any) -> None:
    """InvalidValue unless the value is a failure that an event and a push can carry."""
    require_id(f"{field}.code", value.code, LONGEST_ACTION)
    require_text(f"{field}.message", value.message, LONGEST_ERROR)


def _require_origin(field: str, value: object) -> None:
    if value != "":  # nothing led here
        require_id(field, value)


def _require_key(field: str, value: object) -> None:
    require_text(field, value, LONGEST_KEY)
    fits = isinstance(value, str) and 1 <= len(value.encode()) <= LONGEST_KEY
    require(field, f"1-{LONGEST_KEY} bytes", fits)


def _require_cursor(field: str, value: object) -> None:
    fits = isinstance(value, str) and len(value) <= LONGEST_CURSOR and _PRINTABLE.fullmatch(value)
    require(field, NO_CURSOR, bool(fits))


def _require_day(field: str, value: object) -> None:
    require(field, "a date", isinstance(value, date) and not isinstance(value, datetime))


_KINDS: Final[Mapping[Kind, str]] = {
    require_name: "tenant_id user_id",
    require_id: "connection_id worker_id idempotency_key by",
    partial(require_id, longest=LONGEST_REQUEST_ID): "request_id retry_of",
    partial(require_id, longest=LONGEST_ACTION): "action",
    partial(require_id, longest=LONGEST_TOPIC): "topic",
    _require_origin: "correlation_id causation_id",
    require_text: "message user_agent",
    partial(require_text, longest=LONGEST_ERROR): "reason",
    partial(require_text, longest=LONGEST_ADDRESS): "source_ip",
    require_labels: "metadata",
    require_failure: "error",
    require_aware: "now start end since until instant "
    "created_at connected_at last_active_at ends_at expires_at lease_until",
    _require_day: "day",
    partial(require_between, low=timedelta(0), high=LONGEST_DELAY): "delay timeout",
    require_finite: "percent jitter",
    partial(require_whole, low=0, high=9): "priority",
    partial(require_whole, low=0, high=MOST_ATTEMPTS): "attempt",
    partial(require_whole, low=1, high=MOST_ATTEMPTS): "max_attempts",
    partial(require_whole, low=0, high=MAX_VERSION): "index",
    partial(require_whole, low=1, high=MAX_VERSION): "version",
    partial(require_whole, low=1, high=MOST_LISTED): "limit",
    _require_cursor: "cursor",
    _require_key: "key",
    partial(require_json, limit=LARGEST_JSON): "payload result",
    partial(require_json, limit=CHUNK_LIMIT): "chunk",
    partial(require_json, limit=DETAILS_LIMIT): "details",
    partial(require_json, limit=CHECKPOINT_LIMIT): "checkpoint",
}
KINDS: Final[Mapping[str, Kind]] = {name: kind for kind, names in _KINDS.items() for name in names.split()}


class Checked(Struct, frozen=True):
    """A value object that cannot be made with a field that is not what its name stands for."""

    def __post_init__(self) -> None:
        for name, kind, may_be_none in _of_fields(type(self)):
            value = getattr(self, name)
            if not (may_be_none and value is None):
                kind(name, value)


def checked(method: Callable[P, R]) -> Callable[P, R]:
    """Let a method refuse, before anything else, the arguments that are not what their names stand for."""
    shape = signature(method)
    of_arguments = list(_known((one.name, one.annotation) for one in shape.parameters.values()))

    @wraps(method)
    def call(*arguments: P.args, **named: P.kwargs) -> R:
        given = shape.bind(*arguments, **named).arguments
        for name, kind, may_be_none in of_arguments:
            if name in given and not (may_be_none and given[name] is None):
                kind(name, given[name])
        return method(*arguments, **named)

    return call


def _of_fields(type_: type) -> Sequence[tuple[str, Kind, bool]]:
    if type_ not in _FIELDS:
        _FIELDS[type_] = list(_known((field.name, field.type) for field in fields(type_)))
    return _FIELDS[type_]


def _known(annotated: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Kind, bool]]:
    return ((name, KINDS[name], NoneType in get_args(kind)) for name, kind in annotated if name in KINDS)


_FIELDS: Final[dict[type, Sequence[tuple[str, Kind, bool]]]] = {}
