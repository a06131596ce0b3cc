"""What comes from outside, read as a struct, and what is wrong with it told by the names of its fields.

Never by its values: they are nobody else's business. msgspec stops at the first field that is wrong; when one is, each
is looked at by itself, so that all are told.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

from msgspec import Struct, ValidationError, convert
from msgspec.structs import fields

from domain.errors import InvalidFrame
from domain.instant import to_instant

MOST_TOLD: Final = 5
_PLACE_SHOWN: Final = 100  # characters; a field's name may be as long as its frame, and the reply must fit one
_REASON_SHOWN: Final = 200
_PATH: Final = re.compile(r" - at (?:`key` in )?`\$(?P<path>[^`]*)`$")
_PATTERN: Final = re.compile(r" matching regex .*", re.DOTALL)
OTHER_VALUE: Final = "none of the values it may have"
_WITH_VALUE: Final = ("Invalid enum value", "Invalid value")
T = TypeVar("T", bound=Struct)


def read(value: Any, kind: type[T], what: str) -> T:
    """The value as a struct; InvalidFrame names each field that is wrong."""
    try:
        return convert(value, kind)
    except ValidationError as exc:
        if isinstance(exc.__cause__, TypeError):
            raise exc.__cause__ from exc  # a mistake in the struct's own code, not in what it was given
        wrong = list(islice(_wrong_fields(value, kind), MOST_TOLD)) if isinstance(value, Mapping) else []
        told = [f"{what}.{place[:_PLACE_SHOWN]}: {reason[:_REASON_SHOWN]}" for place, reason in wrong]
        # What the fields are together, or that it is no object at all.
        raise InvalidFrame("; ".join(told) or f"{what}: {_reason(exc)[1]}") from exc


def _wrong_fields(value: Mapping[str, Any], kind: type[Struct]) -> Iterator[tuple[str, str]]:
    known = {field.encode_name: field for field in fields(kind)}
    for name, field in known.items():
        if name not in value:
            if field.required:
                yield name, "missing"
            continue
        try:
            found = convert(value[name], field.type)
            if isinstance(found, datetime):
                to_instant(found)
        except ValidationError as exc:
            path, reason = _reason(exc)
            allowed = [] if path else sorted(_allowed(field.type))
            yield f"{name}{path}", f"one of {', '.join(allowed)}" if allowed and reason is OTHER_VALUE else reason
        except ValueError as exc:
            yield name, str(exc)
    if kind.__struct_config__.forbid_unknown_fields:
        tag = kind.__struct_config__.tag_field
        yield from ((name, "unknown field") for name in value if name not in known and name != tag)


def _allowed(kind: Any) -> Iterator[str]:
    """The values that a type lists, if it does."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        yield from (str(member.value) for member in kind)
    elif get_origin(kind) is Literal:
        yield from map(str, get_args(kind))
    else:
        for part in get_args(kind):
            yield from _allowed(part)


def _reason(error: ValidationError) -> tuple[str, str]:
    """Where within a value the error is, and what."""
    told = str(error)
    found = _PATH.search(told)
    path, told = (found["path"], told[: found.start()]) if found else ("", told)
    if told.startswith(_WITH_VALUE):
        return path, OTHER_VALUE
    return path, _PATTERN.sub(" of the form that docs/protocol.md tells", told)
