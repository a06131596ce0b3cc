"""What a fuzzer does to what is valid: to values at random places of JSON, to text, and to the items of a table."""

import base64
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

NASTY: Final[Sequence[Any]] = (
    *(None, True, False, 0, -1, 1, 10**18, -(10**40), 10**400, 0.5, 1e308, -0.0),
    *(Decimal("1E+999999999"), Decimal("1E-999999999"), Decimal("1E+4000"), Decimal("NaN"), Decimal("0.1")),
    *("", " ", "\x00", "\x7f", "é" * 100, "x" * 5000, "\ud800", "\u2028", "../..", "a#b#c", "user#acme#ann"),
    *("tenant#acme", "request#x", "own", "PENDING", "2026-11-22", "9999-12-31T23:59:59-12:00", "-1", "eyJ9", "%s{}"),
    *("attribute_exists(a)", ":value", "#n", "'; --", "${jndi:x}", "1E+999999999", "[", "{", "null", "NaN"),
    *("ann", "acme", "echo", "echo_async", "k", 2, 3, 50, [1], "2026-11-22T08:30:00Z"),
    *([], {}, [[]], [None] * 50, {"": ""}, {"type": "submit"}, {"$ne": 1}, {"S": "x"}),
)


class Mutator:
    """Changes by a random generator's choice."""

    def __init__(self, rng: random.Random, values: Sequence[Any] = NASTY) -> None:
        self._rng = rng
        self._values = values

    def value(self, whole: Any) -> Any:
        """JSON's value with one to three places changed."""
        for _ in range(self._rng.choice((1, 1, 1, 2, 3))):
            whole = self._changed(whole, self._rng.choice(places(whole)))
        return whole

    def text(self, whole: str) -> str:
        """Text with some of it changed, gone, doubled or another's."""
        if not whole:
            return str(self._rng.choice('{["x\x00'))
        at, size = self._rng.randrange(len(whole)), self._rng.randint(1, 8)
        match self._rng.randrange(7):
            case 0:
                return (
                    whole[:at] + chr(self._rng.choice((0, 9, 34, 44, 92, 123, 125, 0xD800, 0xE9, 0x1F600))) + whole[at:]
                )
            case 1:
                return whole[:at] + whole[at + size :]
            case 2:
                return whole[:at]
            case 3:
                return whole[:at] + whole[at : at + size] * self._rng.choice((2, 30, 3000)) + whole[at + size :]
            case 4:
                return whole[:at] + chr(ord(whole[at]) ^ 1 << self._rng.randrange(7)) + whole[at + 1 :]
            case 5:
                bomb = self._rng.choice(("[", '{"a":', "9", "-", "1E+9999999", "\\u"))
                return whole[:at] + bomb * self._rng.choice((1, 60, 2000)) + whole[at:]
            case _:
                other = self._rng.randrange(len(whole))
                return whole[:at] + whole[other:]

    def item(self, whole: Mapping[str, Any]) -> dict[str, Any]:
        """A table's item with one to three attributes changed, lost, or of another kind, as DynamoDB could hold it."""
        item = dict(whole)
        for _ in range(self._rng.randint(1, 3)):
            name = self._rng.choice(sorted(item) or ["made_up"])
            match self._rng.randrange(8):
                case 0:
                    item.pop(name, None)
                case 1:
                    item[name] = {"N": self._rng.choice(("0", "-1", "1.5", "1E+100", "9" * 38, "253402300800"))}
                case 2:
                    item[name] = self._rng.choice(({"NULL": True}, {"BOOL": True}, {"L": []}, {"M": {}}, {"SS": ["a"]}))
                case 3:
                    item[name] = {"B": self._rng.randbytes(self._rng.choice((1, 31, 32, 33)))}
                case 4:
                    item[name] = {"S": self._storable(self._rng.choice(self._values))}
                case 5 if "S" in item.get(name, {}):
                    item[name] = {"S": self._storable(self.text(item[name]["S"]))}
                case 6:
                    item[self._rng.choice(("made_up", "version", "state"))] = {"S": "made up"}
                case _:
                    other = self._rng.choice(sorted(item) or ["made_up"])
                    item[name] = item.get(other, {"S": "x"})
        return item

    def image(self, whole: Mapping[str, Any]) -> dict[str, Any]:
        """An image of a stream record, whose bytes are text."""
        return {
            name: {"B": base64.b64encode(value["B"]).decode()} if isinstance(value.get("B"), bytes) else value
            for name, value in self.item(whole).items()
        }

    def _changed(self, whole: Any, place: tuple[Any, ...]) -> Any:
        if place:
            name, *rest = place
            if isinstance(whole, dict) and not rest and self._rng.random() < 0.3:
                return self._renamed(whole, name)
            copied: Any = dict(whole) if isinstance(whole, dict) else list(whole)
            copied[name] = self._changed(whole[name], tuple(rest))
            return copied
        if isinstance(whole, str) and self._rng.random() < 0.4:
            return self.text(whole)
        return self._rng.choice(self._values)

    def _renamed(self, whole: dict[str, Any], name: str) -> dict[str, Any]:
        kept = {other: value for other, value in whole.items() if other != name}
        return kept if self._rng.random() < 0.5 else {**kept, self.text(name): whole[name]}

    def _storable(self, value: Any) -> str:
        return str(value).encode(errors="replace").decode()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value within JSON's value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, one in inner for place in places(one, (*path, name)))]
