"""DynamoDB's expressions: conditions, filters, updates and keys, as far as this project writes them.

What is not understood is refused, never passed: a condition that is taken for true would prove nothing.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, Final

Item = Mapping[str, Mapping[str, Any]]
Value = Mapping[str, Any] | None

_TOKEN: Final = re.compile(r"\s*(?:(#\w+)|(:\w+)|([A-Za-z_]\w*)|(<=|>=|<>|[=<>(),+-]))")
_WORDS: Final = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"})
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ORDERED: Final = frozenset({"S", "N", "B"})


class Refused(Exception):
    """DynamoDB, or this stand-in for it, does not take the expression."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the placeholders of one call stand for, and which of them were used."""

    names: Mapping[str, str]
    values: Mapping[str, Mapping[str, Any]]
    used: set[str] = field(default_factory=set)

    def name(self, written: str) -> str:
        """The attribute that a path names."""
        if not written.startswith("#"):
            return written
        if written not in self.names:
            raise Refused(f"no name {written}")
        return self.names[written]

    def value(self, written: str) -> Mapping[str, Any]:
        """The value that a placeholder stands for."""
        if written not in self.values:
            raise Refused(f"no value {written}")
        return self.values[written]

    def all_used(self) -> None:
        """Refused when a placeholder was given that no expression of the call has."""
        unused = sorted({*self.names, *self.values} - self.used)
        if unused:
            raise Refused(f"unused in expressions: {unused}")


Test = Callable[[Item, Scope], bool]
Read = Callable[[Item, Scope], Value]


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read."""

    test: Test
    placeholders: frozenset[str]

    def holds(self, item: Item, scope: Scope) -> bool:
        """Whether it holds of an item; an attribute that is not there fails every comparison."""
        return self.test(item, scope)


@dataclass(frozen=True, slots=True)
class Update:
    """An update that was read."""

    sets: tuple[tuple[str, Read], ...]
    removes: tuple[str, ...]
    adds: tuple[tuple[str, str], ...]
    deletes: tuple[tuple[str, str], ...]
    placeholders: frozenset[str]

    def paths(self) -> tuple[str, ...]:
        """What it changes."""
        pairs = (*self.sets, *self.adds, *self.deletes)
        return (*(path for path, _ in pairs), *self.removes)

    def applied(self, item: Item, scope: Scope) -> dict[str, Any]:
        """The item after the update; every value is read from the item as it was before."""
        after = dict(item)
        for path, read in self.sets:
            value = read(item, scope)
            if value is None:
                raise Refused("an operand is not in the item")
            after[scope.name(path)] = value
        for path in self.removes:
            after.pop(scope.name(path), None)
        for path, placeholder in self.adds:
            after[scope.name(path)] = _added(item.get(scope.name(path)), scope.value(placeholder))
        for path, placeholder in self.deletes:
            left = _taken_out(item.get(scope.name(path)), scope.value(placeholder))
            after.pop(scope.name(path), None)
            if left is not None:
                after[scope.name(path)] = left
        return after


@dataclass(frozen=True, slots=True)
class Keys:
    """A key condition that was read: one partition, and a range of sort keys."""

    partition: tuple[str, str]
    sort: tuple[str, str, tuple[str, ...]] | None
    placeholders: frozenset[str]


@cache
def condition(text: str) -> Condition:
    """Read a condition or a filter."""
    reader = _Reader(text)
    test = reader.either()
    reader.end()
    return Condition(test, reader.placeholders())


@cache
def update(text: str) -> Update:
    """Read an update."""
    reader = _Reader(text)
    sets: list[tuple[str, Read]] = []
    removes: list[str] = []
    amounts: dict[str, list[tuple[str, str]]] = {"ADD": [], "DELETE": []}
    clauses: set[str] = set()
    while not reader.at_end():
        word = reader.take().upper()
        if word in clauses or word not in ("SET", "REMOVE", *amounts):
            raise Refused(f"clause {word} in {text!r}")
        clauses.add(word)
        while True:
            path = reader.path()
            if word == "SET":
                reader.expect("=")
                sets.append((path, reader.sum()))
            elif word == "REMOVE":
                removes.append(path)
            else:
                amounts[word].append((path, reader.placeholder()))
            if not reader.taken(","):
                break
    if not clauses:
        raise Refused("an empty update")
    return Update(tuple(sets), tuple(removes), tuple(amounts["ADD"]), tuple(amounts["DELETE"]), reader.placeholders())


@cache
def keys(text: str) -> Keys:
    """Read a key condition: `partition = :p`, perhaps AND one comparison of the sort key."""
    reader = _Reader(text)
    partition = reader.path()
    reader.expect("=")
    wanted = (partition, reader.placeholder())
    sort: tuple[str, str, tuple[str, ...]] | None = None
    if reader.taken("AND"):
        if reader.taken("begins_with"):
            reader.expect("(")
            path = reader.path()
            reader.expect(",")
            sort = (path, "begins_with", (reader.placeholder(),))
            reader.expect(")")
        else:
            path, kind = reader.path(), reader.take().upper()
            if kind == "BETWEEN":
                low = reader.placeholder()
                reader.expect("AND")
                sort = (path, kind, (low, reader.placeholder()))
            elif kind in _COMPARE and kind != "<>":
                sort = (path, kind, (reader.placeholder(),))
            else:
                raise Refused(f"{kind} in the key condition {text!r}")
    reader.end()
    return Keys(wanted, sort, reader.placeholders())


def in_range(kind: str, value: Any, bounds: tuple[Any, ...]) -> bool:
    """Whether a sort key is in the range that a key condition names."""
    if kind == "BETWEEN":
        return bool(bounds[0] <= value <= bounds[1])
    if kind == "begins_with":
        return bool(value.startswith(bounds[0]))
    return _COMPARE[kind](value, bounds[0])


def plain(value: Mapping[str, Any]) -> Any:
    """A scalar of DynamoDB as Python compares it: text by its UTF-8 bytes, which is by its code points."""
    [(kind, content)] = value.items()
    if kind == "N":
        return int(content) if content.lstrip("-").isdigit() else Decimal(content)
    return content


def _added(before: Value, added: Mapping[str, Any]) -> Mapping[str, Any]:
    """ADD: the sum of numbers, the union of sets of text."""
    [(kind, _)] = added.items()
    if kind not in ("N", "SS") or (before is not None and set(before) != {kind}):
        raise Refused("ADD takes numbers and sets of text here")
    if kind == "N":
        return {"N": _text(Decimal((before or {"N": "0"})["N"]) + Decimal(added["N"]))}
    return {"SS": sorted({*(before or {"SS": []})["SS"], *added["SS"]})}


def _taken_out(before: Value, taken: Mapping[str, Any]) -> Value:
    """DELETE: what is left of a set of text; None when nothing is, for there are no empty sets."""
    if set(taken) != {"SS"} or (before is not None and set(before) != {"SS"}):
        raise Refused("DELETE takes sets of text here")
    left = sorted({*(before or {"SS": []})["SS"]} - {*taken["SS"]})
    return {"SS": left} if left else None


def _size(value: Value) -> Value:
    """The size of what is there: the members of a set, the length of text or bytes."""
    if value is None:
        return None
    [(kind, content)] = value.items()
    if kind not in ("SS", "S", "B"):
        raise Refused(f"size of {kind} is not understood here")
    return {"N": str(len(content.encode() if kind == "S" else content))}


def _text(number: Decimal) -> str:
    return str(int(number)) if number == number.to_integral_value() else f"{number.normalize():f}"


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        place = 0
        while text[place:].strip():
            found = _TOKEN.match(text, place)
            if not found:
                raise Refused(f"cannot read {text[place:]!r}")
            self._tokens.append(found[0].strip())
            place = found.end()
        self._place = 0

    def placeholders(self) -> frozenset[str]:
        return frozenset(token for token in self._tokens if token[0] in "#:")

    def at_end(self) -> bool:
        return self._place == len(self._tokens)

    def end(self) -> None:
        if not self.at_end():
            raise Refused(f"cannot read {self._tokens[self._place :]} in {self._text!r}")

    def peek(self) -> str:
        return "" if self.at_end() else self._tokens[self._place]

    def take(self) -> str:
        if self.at_end():
            raise Refused(f"{self._text!r} ends early")
        self._place += 1
        return self._tokens[self._place - 1]

    def taken(self, word: str) -> bool:
        if self.peek().upper() != word.upper():
            return False
        self._place += 1
        return True

    def expect(self, word: str) -> None:
        if not self.taken(word):
            raise Refused(f"{word!r} is missing in {self._text!r}")

    def path(self) -> str:
        token = self.take()
        if not re.fullmatch(r"#?\w+", token) or token.upper() in _WORDS or token[0].isdigit():
            raise Refused(f"{token!r} is no attribute in {self._text!r}")
        return token

    def placeholder(self) -> str:
        token = self.take()
        if not token.startswith(":"):
            raise Refused(f"{token!r} is no value in {self._text!r}")
        return token

    def either(self) -> Test:
        tests = [self._both()]
        while self.taken("OR"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda item, scope: any(test(item, scope) for test in tests)

    def _both(self) -> Test:
        tests = [self._negated()]
        while self.taken("AND"):
            tests.append(self._negated())
        return tests[0] if len(tests) == 1 else lambda item, scope: all(test(item, scope) for test in tests)

    def _negated(self) -> Test:
        if self.taken("NOT"):
            test = self._negated()
            return lambda item, scope: not test(item, scope)
        return self._primary()

    def _primary(self) -> Test:
        if self.taken("("):
            test = self.either()
            self.expect(")")
            return test
        match self.peek().lower():
            case "attribute_exists":
                path = self._argument()
                return lambda item, scope: scope.name(path) in item
            case "attribute_not_exists":
                path = self._argument()
                return lambda item, scope: scope.name(path) not in item
            case "begins_with":
                self.take()
                self.expect("(")
                left = self.operand()
                self.expect(",")
                right = self.operand()
                self.expect(")")
                return lambda item, scope: _begins(left(item, scope), right(item, scope))
            case "contains" | "attribute_type":
                raise Refused(f"{self.peek()} is not understood here")
            case _:
                return self._comparison()

    def _argument(self) -> str:
        self.take()
        self.expect("(")
        path = self.path()
        self.expect(")")
        return path

    def _comparison(self) -> Test:
        left = self.operand()
        kind = self.take().upper()
        if kind == "BETWEEN":
            low = self.operand()
            self.expect("AND")
            high = self.operand()
            return lambda item, scope: (
                _compared(">=", left(item, scope), low(item, scope))
                and _compared("<=", left(item, scope), high(item, scope))
            )
        if kind == "IN":
            self.expect("(")
            among = [self.operand()]
            while self.taken(","):
                among.append(self.operand())
            self.expect(")")
            return lambda item, scope: any(_compared("=", left(item, scope), one(item, scope)) for one in among)
        if kind not in _COMPARE:
            raise Refused(f"{kind!r} in {self._text!r}")
        right = self.operand()
        return lambda item, scope: _compared(kind, left(item, scope), right(item, scope))

    def operand(self) -> Read:
        if self.peek().startswith(":"):
            placeholder = self.take()
            return lambda _, scope: scope.value(placeholder)
        if self.peek().lower() == "size":
            path = self._argument()
            return lambda item, scope: _size(item.get(scope.name(path)))
        path = self.path()
        return lambda item, scope: item.get(scope.name(path))

    def sum(self) -> Read:
        left = self._term()
        if self.peek() not in ("+", "-"):
            return left
        sign = 1 if self.take() == "+" else -1
        right = self._term()

        def total(item: Item, scope: Scope) -> Value:
            parts = left(item, scope), right(item, scope)
            if any(part is None or "N" not in part for part in parts):
                raise Refused("an operand is no number")
            first, second = (Decimal(part["N"]) for part in parts if part)
            return {"N": _text(first + sign * second)}

        return total

    def _term(self) -> Read:
        if not self.taken("if_not_exists"):
            return self.operand()
        self.expect("(")
        path = self.path()
        self.expect(",")
        otherwise = self.operand()
        self.expect(")")
        return lambda item, scope: item.get(scope.name(path)) or otherwise(item, scope)


def _compared(kind: str, left: Value, right: Value) -> bool:
    if left is None or right is None:
        return kind == "<>" and left is not right
    [(left_kind, _)], [(right_kind, _)] = left.items(), right.items()
    if kind in ("=", "<>"):
        alike = left_kind == right_kind and (plain(left) == plain(right))
        return alike if kind == "=" else not alike
    return left_kind == right_kind and left_kind in _ORDERED and _COMPARE[kind](plain(left), plain(right))


def _begins(left: Value, right: Value) -> bool:
    return bool(left and right and "S" in left and "S" in right and left["S"].startswith(right["S"]))
