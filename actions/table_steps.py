"""Which rows of a table stay, and in which order: filter, sort, deduplicate.

Each operation looks for its columns at once, so a misspelt one is told before a row is read. Filter and deduplicate
pass row after row on; sort has to see them all first.
"""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from actions.exact_numbers import Number, parse_number
from actions.table import Cell, Row, Table, number_in, text_of

MAX_NAMES: Final = 100

Column = Annotated[str, Field(max_length=1000)]
Columns = Annotated[list[Column], Field(max_length=MAX_NAMES)]


class Step(BaseModel, ABC):
    """One operation."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @abstractmethod
    def apply(self, table: Table) -> Table:
        """The table after the operation; Permanent when it lacks a column."""


class Filter(Step):
    """Keeps the rows whose cell compares so: with a number as a number, with a text as a text.

    An empty cell differs from every number and is neither less nor greater.
    """

    op: Literal["filter"]
    column: Column
    comparison: Literal["eq", "ne", "lt", "le", "gt", "ge", "contains"]
    value: str | Number

    @model_validator(mode="after")
    def _only_text_is_contained(self) -> Self:
        if self.comparison == "contains" and not isinstance(self.value, str):
            raise ValueError("contains needs a text as its value")
        return self

    def apply(self, table: Table) -> Table:
        """The rows that are kept."""
        position = table.position(self.column)
        keeps = self._keeps_text if isinstance(self.value, str) else self._keeps_number
        return Table(table.columns, (row for row in table.rows if keeps(row, position)))

    def _keeps_text(self, row: Row, position: int) -> bool:
        return bool(_COMPARISONS[self.comparison](text_of(row.cells[position]), self.value))

    def _keeps_number(self, row: Row, position: int) -> bool:
        number = number_in(row, position, self.column)
        return self.comparison == "ne" if number is None else bool(_COMPARISONS[self.comparison](number, self.value))


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "contains": operator.contains,
}


class Sort(Step):
    """Orders the rows by some columns, rows that are equal in them staying in their order.

    Within a column numbers come first, by their value, then texts, then empty cells; descending is the reverse.
    """

    op: Literal["sort"]
    by: Annotated[Columns, Field(min_length=1)]
    descending: bool = False

    def apply(self, table: Table) -> Table:
        """The rows in order."""
        positions = [table.position(column) for column in self.by]
        return Table(table.columns, self._sorted(table, positions))

    def _sorted(self, table: Table, positions: list[int]) -> Iterator[Row]:
        def key(row: Row) -> list[tuple[int, Decimal | str]]:
            return [_rank(row.cells[position]) for position in positions]

        yield from sorted(table.rows, key=key, reverse=self.descending)


def _rank(cell: Cell) -> tuple[int, Decimal | str]:
    number = cell if isinstance(cell, Decimal) else parse_number(cell)
    if number is not None:
        return 0, number
    return (1 if text_of(cell).strip() else 2), text_of(cell)


class Deduplicate(Step):
    """Keeps the first of the rows that have the same text in some columns, or in all."""

    op: Literal["deduplicate"]
    by: Annotated[Columns, Field(min_length=1)] | None = None

    def apply(self, table: Table) -> Table:
        """The rows that are the first of their kind."""
        positions = [table.position(column) for column in self.by or table.columns]
        return Table(table.columns, _firsts(table, positions))


def _firsts(table: Table, positions: list[int]) -> Iterator[Row]:
    seen = set()
    for row in table.rows:
        kind = tuple(text_of(row.cells[position]) for position in positions)
        if kind not in seen:
            seen.add(kind)
            yield row
