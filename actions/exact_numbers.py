"""Exact numbers: what counts as a number in a table, and arithmetic that loses no digit.

A number is plain ASCII decimal notation, with or without an exponent, below 10^38 in size and with at most 38
decimals. Sums, differences and products of such numbers are exact; only what has more than 38 decimals is rounded
(half to even). The bounds keep a cell from naming a number that takes a gigabyte to write, such as 1e999999999.
"""

import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation
from typing import Annotated, Final

from pydantic import AfterValidator

DIGITS: Final = 38

# Wide enough for the product of any two numbers, and for the sum of any table.
_EXACT: Final = Context(prec=4 * DIGITS + 8, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero])
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_LEAST: Final = Decimal(1).scaleb(-DIGITS)


def parse_number(text: str) -> Decimal | None:
    """The number that a text names, spaces around it aside; None when it names none."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    value = Decimal(text)
    return _plain(value) if _is_number(value) else None


def as_text(number: Decimal) -> str:
    """The number in plain notation, every decimal it has."""
    return format(number, "f")


def add(left: Decimal, right: Decimal) -> Decimal:
    """The exact sum; it may be too large to be a number until `settle` has looked at it."""
    return _EXACT.add(left, right)


def multiply(left: Decimal, right: Decimal) -> Decimal:
    """The exact product, likewise."""
    return _EXACT.multiply(left, right)


def divide(left: Decimal, right: Decimal) -> Decimal:
    """The quotient to far more than 38 decimals."""
    return _EXACT.divide(left, right)


def settle(value: Decimal) -> Decimal | None:
    """The result of a calculation as a number, rounded to 38 decimals where it has more; None when it is too large."""
    value = value if _decimals(value) <= DIGITS else value.quantize(_LEAST, context=_EXACT)
    return _plain(value) if _is_number(value) else None


def round_to(value: Decimal, decimals: int) -> Decimal:
    """The value with just so many decimals, halves away from zero as in bookkeeping."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP, context=_EXACT)


def _is_number(value: Decimal) -> bool:
    return value.is_finite() and _decimals(value) <= DIGITS and (not value or value.adjusted() < DIGITS)


def _decimals(value: Decimal) -> int:
    return -int(value.as_tuple().exponent)


def _plain(value: Decimal) -> Decimal:
    """The same number without an exponent and without a negative zero."""
    value = value if _decimals(value) >= 0 else value.quantize(Decimal(1), context=_EXACT)
    return value or abs(value)


def _require_number(value: Decimal) -> Decimal:
    if not _is_number(value):
        raise ValueError("a number has at most 38 digits before and 38 after the point")
    return _plain(value)


Number = Annotated[Decimal, AfterValidator(_require_number)]
