"""What can be measured over the rows of a table: aggregate.

It goes through the rows once and remembers its groups, not the rows in them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from actions.exact_numbers import add, divide
from actions.table import Cell, Row, Table, number_in, result_in, text_of
from actions.table_steps import MAX_NAMES, Column, Columns, Step


class Measure(BaseModel):
    """One figure of a group: of the numbers in a column, or for `count` of its cells that are not empty.

    Only `count` can do without a column, and is then the number of rows. The name is `as`, else function_column.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    function: Literal["count", "sum", "mean", "min", "max"]
    column: Column | None = None
    named: Column | None = Field(None, alias="as")

    @model_validator(mode="after")
    def _has_a_column(self) -> Self:
        if self.column is None and self.function != "count":
            raise ValueError(f"{self.function} needs a column")
        return self

    @property
    def name(self) -> str:
        """The column that the figure goes into."""
        if self.named is not None:
            return self.named
        return self.function if self.column is None else f"{self.function}_{self.column}"


class Aggregate(Step):
    """Makes one row of each group, a group being the rows with the same texts in some columns, in order of appearance.

    Without such columns all rows are one group, even when there are none. Of no numbers the sum is 0; mean, min and
    max are empty.
    """

    op: Literal["aggregate"]
    by: Columns = Field(default_factory=list)
    measures: Annotated[list[Measure], Field(min_length=1, max_length=MAX_NAMES)]

    @model_validator(mode="after")
    def _names_are_different(self) -> Self:
        if len(set(self._columns)) < len(self._columns):
            raise ValueError("two columns of the result would have the same name")
        return self

    @property
    def _columns(self) -> tuple[str, ...]:
        return (*self.by, *(measure.name for measure in self.measures))

    def apply(self, table: Table) -> Table:
        """The table of the groups."""
        keys = [table.position(column) for column in self.by]
        measured = [None if measure.column is None else table.position(measure.column) for measure in self.measures]
        return Table(self._columns, self._grouped(table, keys, measured))

    def _grouped(self, table: Table, keys: list[int], measured: list[int | None]) -> Iterator[Row]:
        groups: dict[tuple[str, ...], list[_Figures]] = {} if self.by else {(): self._no_figures()}
        for row in table.rows:
            key = tuple(text_of(row.cells[position]) for position in keys)
            figures = groups.get(key)
            if figures is None:
                figures = groups[key] = self._no_figures()
            for measure, position, figure in zip(self.measures, measured, figures, strict=True):
                _take_in(figure, measure, row, position)
        for number, (key, figures) in enumerate(groups.items(), start=1):
            yield _row_of(number, key, self.measures, figures)

    def _no_figures(self) -> list["_Figures"]:
        return [_Figures() for _ in self.measures]


@dataclass(slots=True)
class _Figures:
    """What has been seen of one measure in one group."""

    count: int = 0
    total: Decimal = Decimal(0)
    least: Decimal | None = None
    most: Decimal | None = None


def _take_in(figures: _Figures, measure: Measure, row: Row, position: int | None) -> None:
    if measure.column is None or position is None:
        figures.count += 1
    elif measure.function == "count":
        figures.count += bool(text_of(row.cells[position]).strip())
    elif (number := number_in(row, position, measure.column)) is not None:
        figures.count += 1
        figures.total = add(figures.total, number)
        figures.least = number if figures.least is None else min(figures.least, number)
        figures.most = number if figures.most is None else max(figures.most, number)


def _mean(figures: _Figures) -> Decimal | None:
    return divide(figures.total, Decimal(figures.count)) if figures.count else None


_RESULTS: Final[Mapping[str, Callable[[_Figures], Decimal | None]]] = {
    "count": lambda figures: Decimal(figures.count),
    "sum": lambda figures: figures.total,
    "mean": _mean,
    "min": lambda figures: figures.least,
    "max": lambda figures: figures.most,
}


def _row_of(number: int, key: tuple[str, ...], measures: list[Measure], figures: list[_Figures]) -> Row:
    row = Row(number, key)
    cells: list[Cell] = list(key)
    for measure, figure in zip(measures, figures, strict=True):
        value = _RESULTS[measure.function](figure)
        cells.append("" if value is None else result_in(row, measure.name, value))
    return Row(number, tuple(cells))
