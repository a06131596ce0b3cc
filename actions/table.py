"""A table on its way through the operations: named columns, and rows that are made one at a time as they are asked for.

A cell is the text that the CSV has, untouched, or a number that an operation calculated. Text that begins with `=`
or `@` is data like any other: it goes out as it came in, and whoever opens the file in a spreadsheet decides.
An empty cell is no value: it is not a number, and not an error where a number is needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple, NoReturn

from actions.exact_numbers import as_text, parse_number, settle
from actions.outcomes import Permanent

Cell = str | Decimal

SHOWN_NAME: Final = 60
SHOWN_NAMES: Final = 10


class Row(NamedTuple):
    """A row and its number: 1 is the first one below the header of the input, or the first group of an aggregate."""

    number: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; the rows can be gone through once."""

    columns: tuple[str, ...]
    rows: Iterable[Row]

    def position(self, column: str) -> int:
        """Where a column stands; Permanent when there is none of that name."""
        if column not in self.columns:
            known = ", ".join(shown(name) for name in self.columns[:SHOWN_NAMES])
            more = ", …" if len(self.columns) > SHOWN_NAMES else ""
            raise Permanent(f"There is no column {shown(column)}; there are {known}{more}")
        return self.columns.index(column)


def shown(column: str) -> str:
    """The name of a column as messages give it, cut where it is endless."""
    return repr(column if len(column) <= SHOWN_NAME else f"{column[:SHOWN_NAME]}…")


def text_of(cell: Cell) -> str:
    """The cell as text."""
    return cell if isinstance(cell, str) else as_text(cell)


def number_in(row: Row, position: int, column: str) -> Decimal | None:
    """The number in a cell, None when the cell is empty; Permanent when something else is in it."""
    cell = row.cells[position]
    if isinstance(cell, Decimal):
        return cell
    number = parse_number(cell)
    if number is None and cell.strip():
        # The value itself stays out of the message: messages are logged, the user's data is not.
        refuse(row, column, "not a number (of at most 38 digits before and 38 after the point)")
    return number


def result_in(row: Row, column: str, value: Decimal) -> Decimal:
    """A calculated value as a cell; Permanent when it is too large to be one."""
    number = settle(value)
    if number is None:
        refuse(row, column, "the result has more than 38 digits before the point")
    return number


def refuse(row: Row, column: str, reason: str) -> NoReturn:
    """Permanent, naming row and column."""
    raise Permanent(f"Row {row.number}, column {shown(column)}: {reason}")
