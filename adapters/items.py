"""DynamoDB's attribute values for the four kinds of value that our tables hold: text, integer, bytes, flag."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NoReturn, TypeVar

from domain.errors import InvalidJson, InvalidValue, Undecodable
from domain.instant import from_epoch, from_text
from domain.validity import require_whole_text

Item = Mapping[str, Mapping[str, Any]]
Value = str | int | bytes | bool | None
TOO_MANY_DIGITS: Final = 10**38
S = TypeVar("S")
T = TypeVar("T")
PassedOver = Callable[[Undecodable], object]  # hears of each row that no code can read


def to_item(attributes: Mapping[str, Value]) -> dict[str, dict[str, Any]]:
    """The attributes in DynamoDB's form; those that are None are left out."""
    return {name: to_value(value, name) for name, value in attributes.items() if value is not None}


def to_value(value: Value, field: str = "value") -> dict[str, Any]:
    """One value in DynamoDB's form; InvalidValue with its field for one that has none or would not come back whole."""
    match value:
        case bool():
            return {"BOOL": value}
        case int() if abs(value) < TOO_MANY_DIGITS:
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case str():
            require_whole_text(field, value)
            return {"S": value}
        case _:
            raise InvalidValue(f"{field}: text, an integer of 38 digits, bytes or a flag", field=field)


def from_item(item: Item) -> dict[str, Any]:
    """The attributes of an item; Undecodable when one is of another kind."""
    return {name: _from_value(name, value) for name, value in item.items()}


def _from_value(name: str, value: Mapping[str, Any]) -> Value:
    # Compared by hand: a pattern of each kind takes several times as long, and this is read for every field of a row.
    if len(value) == 1:
        ((kind, data),) = value.items()
        if (
            (kind == "S" and isinstance(data, str))
            or (kind == "B" and isinstance(data, bytes))
            or (kind == "BOOL" and isinstance(data, bool))
        ):
            return data
        if kind == "N" and isinstance(data, str) and data.removeprefix("-").isdecimal():
            return int(data)
    raise Undecodable("unknown attribute type", field=name)


def readable(read: Callable[[S], T], items: Iterable[S], passed_over: PassedOver) -> Iterator[T]:
    """What is read from each item; one that no code can read holds up no other."""
    for item in items:
        try:
            yield read(item)
        except Undecodable as exc:
            passed_over(exc)


def none_passed_over(unreadable: Undecodable) -> NoReturn:
    """Let the first row that no code can read end the reading."""
    raise unreadable


class Row:
    """An item's values by name; Undecodable tells which field of which row no code can read."""

    def __init__(self, item: Item, key: str) -> None:
        self._key = {key: item.get(key, {}).get("S")}
        self._values = self.read("a row", lambda: from_item(item))

    def text(self, name: str) -> str:
        """The text under a name."""
        return self._of_kind(name, str)

    def text_or_none(self, name: str) -> str | None:
        """The text under a name, if there is any."""
        return self.text(name) if name in self._values else None

    def number(self, name: str) -> int:
        """The integer under a name."""
        return self._of_kind(name, int)

    def instant(self, name: str) -> datetime:
        """The instant whose text is under a name."""
        return self.read(name, lambda: from_text(self.text(name)))

    def time_to_live(self, name: str) -> datetime:
        """The instant whose seconds since 1970 are under a name."""
        return self.read(name, lambda: from_epoch(self.number(name)))

    def read(self, name: str, read: Callable[[], T]) -> T:
        """What is read from a field; Undecodable with its name, or with that of the part that is at fault."""
        try:
            return read()
        except (Undecodable, InvalidValue) as exc:
            raise Undecodable(exc.reason, **{"field": name, **exc.context, **self._key}) from exc
        except (InvalidJson, ValueError, TypeError, OverflowError, OSError) as exc:
            raise Undecodable(str(exc), field=name, **self._key) from exc

    def _of_kind(self, name: str, kind: type[T]) -> T:
        value = self._values.get(name)
        if type(value) is not kind:
            reason = f"{name} is of another kind" if name in self._values else f"no {name}"
            raise Undecodable(reason, field=name, **self._key)
        return value
