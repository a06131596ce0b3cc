"""process_data: takes a CSV through a list of operations and gives the result as CSV or JSON.

The rows pass through all operations one by one. A large CSV stops after each operation: the table is saved there, and
an attempt that follows one that was lost goes on with the operations that were not done.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from actions.context import Context, Progress
from actions.registry import action
from actions.table import Row, Table
from actions.table_aggregate import Aggregate
from actions.table_saved import read_saved, saved
from actions.table_steps import Deduplicate, Filter, Sort, Step
from actions.table_text import bounded, csv_lines, json_lines, read_csv
from actions.table_transform import Transform
from domain.exact_json import decode

MAX_OPERATIONS: Final = 20
MAX_INLINE_BYTES: Final = 16 * 1024
SAVED_FROM_BYTES: Final = 1024 * 1024
ROWS_A_REPORT: Final = 1_000

Operation = Annotated[Filter | Transform | Aggregate | Sort | Deduplicate, Field(discriminator="op")]


class ProcessDataInput(BaseModel):
    """A CSV, inline or the key of a file written for the same user, and what to do with it, in order."""

    model_config = ConfigDict(extra="forbid", defer_build=True)
    csv: str | None = None
    key: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    operations: Annotated[list[Operation], Field(max_length=MAX_OPERATIONS, default_factory=list)]
    output: Literal["csv", "json"] = "csv"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.csv is None) == (self.key is None):
            raise ValueError("exactly one of csv and key is needed")
        return self


@action("process_data")
def process_data(payload: ProcessDataInput, context: Context) -> dict[str, Any]:
    """Process the rows; a result of up to 16 KiB is given inline, a larger one as a file with a link."""
    tally = _Tally(context.progress)
    table = _processed(payload, context, tally)
    lines = json_lines if payload.output == "json" else csv_lines
    content = bounded(lines(Table(table.columns, tally.counted(table.rows))))
    told: dict[str, Any] = {"rows": tally.rows_made, "columns": list(table.columns)}
    if len(content) <= MAX_INLINE_BYTES:
        told["content"] = decode(content) if payload.output == "json" else content.decode()
    else:
        context.progress.report(95, f"Storing {len(content):,} bytes")
        media = "application/json" if payload.output == "json" else "text/csv; charset=utf-8"
        told["key"] = context.files.write(f"result.{payload.output}", content, media)
        told["link"] = context.files.link(told["key"])
    context.progress.report(100, f"{tally.rows_made:,} rows made of {tally.rows_read:,}")
    return told


def process(table: Table, operations: Sequence[Step]) -> Table:
    """The table after the operations, in order."""
    return reduce(lambda so_far, operation: operation.apply(so_far), operations, table)


class _Checkpoint(BaseModel):
    """So many operations are done, of so many rows of the CSV; what they made is in the file."""

    done: int
    rows: int
    key: str


def _processed(payload: ProcessDataInput, context: Context, tally: "_Tally") -> Table:
    if context.checkpoint is not None:
        saved_before = _Checkpoint.model_validate(context.checkpoint)
        tally.rows_read, tally.parts, tally.done = saved_before.rows, len(payload.operations), saved_before.done
        table = read_saved(context.files.read(saved_before.key), tally.passed)
        return _in_parts(table, payload.operations, context, tally)
    content = _content(payload, context)
    table = read_csv(content, tally.read)
    if len(content) < SAVED_FROM_BYTES:
        return process(table, payload.operations)
    tally.parts = max(1, len(payload.operations))
    return _in_parts(table, payload.operations, context, tally)


def _in_parts(table: Table, operations: Sequence[Step], context: Context, tally: "_Tally") -> Table:
    """The table after the operations that are not done yet, saved after each but the last."""

    def save(content: bytes) -> None:
        key = context.files.write(f"after-{tally.done + 1}.jsonl", content, "application/jsonl")
        reached = _Checkpoint(done=tally.done + 1, rows=tally.rows_read, key=key)
        context.progress.checkpoint(reached.model_dump())

    process(Table(table.columns, ()), operations[tally.done :])  # a column that is not there is told before all else
    for operation in operations[tally.done : -1]:
        table = saved(operation.apply(table), save, tally.passed)
        tally.done += 1
        tally.share_read = 0
    return process(table, operations[tally.done :])


def _content(payload: ProcessDataInput, context: Context) -> bytes:
    return (payload.csv or "").encode() if payload.key is None else context.files.read(payload.key)


@dataclass(slots=True)
class _Tally:
    """How many rows went in and came out, told every thousand; reading and what streams with it are 90 percent.

    A table that is saved between operations is read in parts, one for each of them.
    """

    progress: Progress
    rows_read: int = 0
    rows_made: int = 0
    share_read: float = 0
    parts: int = 1
    done: int = 0
    _rows_passed: int = 0

    def read(self, share: float) -> None:
        """Another row of the CSV has been read, and this share of it."""
        self.rows_read += 1
        self.passed(share)

    def passed(self, share: float) -> None:
        """Another row has gone into the operation, and this share of them."""
        self._rows_passed += 1
        self.share_read = share
        if self._rows_passed % ROWS_A_REPORT == 0:
            self._tell()

    def counted(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, counted as they pass."""
        for row in rows:
            self.rows_made += 1
            if self.rows_made % ROWS_A_REPORT == 0:
                self._tell()
            yield row

    def _tell(self) -> None:
        told = f"{self.rows_read:,} rows read, {self.rows_made:,} made"
        self.progress.report(round(90 * (self.done + self.share_read) / self.parts, 1), told)
