"""What an action takes, as the type of its first parameter says: a struct of msgspec, or whatever pydantic reads.

pydantic is loaded when such a type is first read: it takes longer than all else that an action is made of.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

from domain.errors import InvalidFrame
from domain.reading import read

if TYPE_CHECKING:
    from pydantic import TypeAdapter

WHAT: Final = "payload"
_AT: Final = "#/$defs/"


class Input:
    """The input of an action."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        self._adapter: TypeAdapter[Any] | None = None
        if kind is not Any and not isinstance(kind, type):
            self._model()  # so that a type that nobody can read is found when it is registered

    def read(self, payload: Any) -> Any:
        """The payload as the action takes it; InvalidFrame names each field that is wrong, never its value."""
        if self._kind is Any:
            return payload
        if self._is_struct:
            return self._read_struct(payload)
        from pydantic import ValidationError  # noqa: PLC0415 - only actions that use it load it

        from domain.reasons import reasons  # noqa: PLC0415 - likewise

        try:
            return self._model().validate_python(payload)
        except ValidationError as exc:
            raise InvalidFrame(reasons(exc, WHAT)) from exc

    def schema(self) -> dict[str, Any]:
        """The JSON schema (2020-12) of the payload; an empty one allows anything."""
        if self._kind is Any:
            return {}
        if not self._is_struct:
            return self._model().json_schema()
        (own,), parts = msgspec.json.schema_components([self._kind], ref_template=f"{_AT}{{name}}")
        schema: dict[str, Any] = parts[own["$ref"].removeprefix(_AT)]
        return {**schema, "$defs": parts} if _AT in str(parts) else schema

    def _read_struct(self, payload: Any) -> Any:
        try:
            return read(payload, self._kind, WHAT)
        except InvalidFrame:
            # JSON Schema takes 5.0 for an integer, and some clients write it so.
            return read(_with_whole_numbers(payload), self._kind, WHAT)

    def _model(self) -> "TypeAdapter[Any]":
        from pydantic import TypeAdapter  # noqa: PLC0415 - likewise

        if self._adapter is None:
            self._adapter = TypeAdapter(self._kind)
        return self._adapter


def _with_whole_numbers(value: Any) -> Any:
    """The value with integers for its decimals that are whole."""
    match value:
        case dict():
            return {name: _with_whole_numbers(part) for name, part in value.items()}
        case list():
            return [_with_whole_numbers(part) for part in value]
        case Decimal() if value == value.to_integral_value():
            return int(value)
        case _:
            return value
