"""JSON that keeps what it was given: integers of any size, decimals digit by digit, no NaN or Infinity.

The standard library reads 0.1000000000000000000001 as a float and cannot write a Decimal. msgspec reads it digit by
digit, several times as fast as simplejson, which writes it and refuses NaN (docs/decisions/0002, 0049).
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final, NoReturn, TypeVar

import simplejson
from msgspec import DecodeError
from msgspec.json import Decoder

from domain.errors import InvalidJson

# What comes in is less deep than what is stored, and that than what is read: each puts its envelope around the last.
FRAME_DEPTH: Final = 48
EVENT_DEPTH: Final = 56
MAX_DEPTH: Final = 64

# What comes in has numbers of so many digits at most, written out: of 1E+999999999 nobody could make an integer.
FRAME_DIGITS: Final = 4300
UNREADABLE: Final = (DecodeError, ValueError, InvalidOperation, RecursionError)
T = TypeVar("T")


def encode(value: Any, *, sort_keys: bool = False) -> str:
    """The shortest JSON text of a value; InvalidJson when it has none."""
    try:
        text = str(_ENCODERS[sort_keys].encode(value))
        text.encode()
    except UnicodeEncodeError as exc:
        raise InvalidJson("half of a surrogate pair") from exc
    except (ValueError, TypeError, RecursionError) as exc:
        raise InvalidJson(str(exc)) from exc
    return text


def decode(text: str | bytes, depth: int = MAX_DEPTH, digits: int | None = None) -> Any:
    """The value of a JSON text: decimals as Decimal, so that no digit is lost; InvalidJson when it is not JSON.

    InvalidJson also when it is nested deeper, or a number has more digits when it is written out.
    """
    try:
        value = (_DECODER if digits is None else _decoder(partial(_short, digits))).decode(text)
    except UNREADABLE as exc:
        raise InvalidJson(f"half of a surrogate pair, or {exc}" if "\\ud" in str(text).lower() else str(exc)) from exc
    if _brackets(text) > depth:  # else it cannot be that deep
        require_shallow(value, depth)
    return value


def reader(kind: type[T]) -> Callable[[str], T]:
    """What reads texts of one kind of value, fields and all. Its errors are UNREADABLE; it does not limit the depth.

    Numbers are exact in fields that may have any value; fields that nobody knows are passed over.
    """
    return Decoder(kind, float_hook=Decimal).decode


def require_shallow_text(text: str) -> None:
    """InvalidJson when the text of a value is nested deeper than can be read."""
    if len(text) > 2 * MAX_DEPTH and _brackets(text) > MAX_DEPTH:  # else it cannot be that deep
        decode(text)


def _brackets(text: str | bytes) -> int:
    return text.count("{") + text.count("[") if isinstance(text, str) else text.count(b"{") + text.count(b"[")


def require_shallow(value: Any, depth: int) -> None:
    """InvalidJson when the value is nested deeper."""
    level = [value]
    for _ in range(depth):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list, tuple))
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list, tuple))
        ]
        if not level:
            return
    raise InvalidJson(f"nested deeper than {depth}")


def _short(digits: int, text: str) -> Decimal:
    number = Decimal(text)
    if len(text) > digits or abs(number.adjusted()) > digits:
        raise ValueError(f"a number has at most {digits} digits")
    return number


def _decoder(number: Callable[[str], Decimal]) -> Decoder[Any]:
    return Decoder(float_hook=number)


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} has no JSON form")


# Made once: to make one takes longer than to read or write a small event.
_DECODER: Final = _decoder(Decimal)
_ENCODERS: Final = {
    sort_keys: simplejson.JSONEncoder(
        separators=(",", ":"),
        ensure_ascii=False,
        use_decimal=True,
        allow_nan=False,
        default=_refuse,
        sort_keys=sort_keys,
    )
    for sort_keys in (False, True)
}
