"""What can be calculated for each row of a table on its own: transform."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Literal, Self

from pydantic import model_validator

from actions.exact_numbers import DIGITS, Number, add, multiply, round_to
from actions.outcomes import Permanent
from actions.table import Cell, Row, Table, number_in, result_in, shown, text_of
from actions.table_steps import Column, Step


class Transform(Step):
    """Calculates a cell of each row and puts it into the same or another column, a new one if need be.

    `rename` gives the column the name `into` instead. `round` takes the number of decimals as its argument, default 0.
    """

    op: Literal["transform"]
    column: Column
    function: Literal["upper", "lower", "trim", "add", "multiply", "round", "rename"]
    argument: Number | None = None
    into: Column | None = None

    @model_validator(mode="after")
    def _has_what_its_function_needs(self) -> Self:
        if (self.argument is not None) > (self.function in _CALCULATIONS):
            raise ValueError(f"{self.function} takes no argument")
        if self.argument is None and self.function in ("add", "multiply"):
            raise ValueError(f"{self.function} needs an argument")
        if self.function == "round" and not (0 <= self._argument <= DIGITS and self._argument == int(self._argument)):
            raise ValueError(f"round takes a whole number of decimals from 0 to {DIGITS}")
        if self.function == "rename" and self.into is None:
            raise ValueError("rename needs the new name in into")
        return self

    def apply(self, table: Table) -> Table:
        """The table with the column calculated, or renamed."""
        position = table.position(self.column)
        if self.function == "rename":
            return self._renamed(table, position)
        columns = list(table.columns)
        target = self.column if self.into is None else self.into
        if target not in columns:
            columns.append(target)
        place = columns.index(target)
        return Table(tuple(columns), (_with(row, place, self._calculated(row, position)) for row in table.rows))

    def _renamed(self, table: Table, position: int) -> Table:
        into = self.into or ""
        if into in table.columns and into != self.column:
            raise Permanent(f"There is a column {shown(into)} already")
        return Table((*table.columns[:position], into, *table.columns[position + 1 :]), table.rows)

    def _calculated(self, row: Row, position: int) -> Cell:
        if self.function in _REWRITINGS:
            return _REWRITINGS[self.function](text_of(row.cells[position]))
        number = number_in(row, position, self.column)
        if number is None:
            return ""
        return result_in(row, self.column, _CALCULATIONS[self.function](number, self._argument))

    @property
    def _argument(self) -> Decimal:
        return Decimal(0) if self.argument is None else self.argument


_REWRITINGS: Final[Mapping[str, Callable[[str], str]]] = {"upper": str.upper, "lower": str.lower, "trim": str.strip}
_CALCULATIONS: Final[Mapping[str, Callable[[Decimal, Decimal], Decimal]]] = {
    "add": add,
    "multiply": multiply,
    "round": lambda value, decimals: round_to(value, int(decimals)),
}


def _with(row: Row, place: int, cell: Cell) -> Row:
    return Row(row.number, (*row.cells[:place], cell, *row.cells[place + 1 :]))
