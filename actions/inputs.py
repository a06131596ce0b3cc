"""What an action takes, as the type of its first parameter says: a struct of msgspec, or whatever pydantic reads.

pydantic is loaded when such a type is first read: it takes longer than all else that an action is made of.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from domain.errors import InvalidFrame
from domain.reading import read

if TYPE_CHECKING:
    from pydantic import TypeAdapter

WHAT = "payload"


class Input:
    """The input of an action."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
        self._adapter: TypeAdapter[Any] | None = None

    def read(self, payload: Any) -> Any:
        """The payload as the action takes it; InvalidFrame names each field that is wrong, never its value."""
        if self._kind is Any:
            return payload
        if self._is_struct:
            return read(payload, self._kind, WHAT)
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
        _, parts = msgspec.json.schema_components([self._kind], ref_template="#/$defs/{name}")
        schema = parts.pop(self._kind.__name__)
        return {**schema, "$defs": parts} if parts else schema

    def _model(self) -> "TypeAdapter[Any]":
        from pydantic import TypeAdapter  # noqa: PLC0415 - likewise

        if self._adapter is None:
            self._adapter = TypeAdapter(self._kind)
        return self._adapter
