"""A table as text: read from CSV (RFC 4180), written as CSV or JSON, row after row.

The input is bounded, so that an attempt fits the memory and the time of its worker: 16 MiB, 500,000 rows, 500
columns; csv itself allows 131,072 characters a cell. What is written may have 64 MiB: operations can add columns.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from actions.outcomes import Permanent
from actions.table import Row, Table, shown, text_of
from domain.exact_json import encode

MAX_INPUT_BYTES: Final = 16 * 1024 * 1024
MAX_ROWS: Final = 500_000
MAX_COLUMNS: Final = 500
MAX_OUTPUT_BYTES: Final = 64 * 1024 * 1024

Seen = Callable[[float], None]


def read_csv(content: bytes, seen: Seen) -> Table:
    """The table in a UTF-8 CSV; `seen` is told after each row which share of the text has been read.

    Errors: Permanent for what is not CSV, too large, without a header, or has a row that does not fit the header.
    Blank lines are skipped, but counted, so that row numbers are those of an editor or a spreadsheet.
    """
    if len(content) > MAX_INPUT_BYTES:
        raise Permanent(f"The CSV has {len(content):,} bytes, more than {MAX_INPUT_BYTES:,}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Permanent(f"The CSV is not UTF-8 at byte {exc.start:,}") from exc
    source = io.StringIO(text, newline="")
    records = _records(source)
    columns = _header(next(records, []))
    return Table(columns, _rows(records, columns, lambda: seen(source.tell() / len(text))))


def _records(source: io.StringIO) -> Iterator[list[str]]:
    reader = csv.reader(source, strict=True)
    try:
        yield from reader
    except csv.Error as exc:
        raise Permanent(f"Line {reader.line_num} is not valid CSV: {exc}") from exc


def _header(columns: list[str]) -> tuple[str, ...]:
    if not columns:
        raise Permanent("The CSV has no header: its first line has to name the columns")
    if len(columns) > MAX_COLUMNS:
        raise Permanent(f"The CSV has {len(columns):,} columns, more than {MAX_COLUMNS}")
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise Permanent(f"Two columns are called {shown(twice)}")
    return tuple(columns)


def _rows(records: Iterable[list[str]], columns: tuple[str, ...], seen: Callable[[], None]) -> Iterator[Row]:
    for number, cells in enumerate(records, start=1):
        if number > MAX_ROWS:
            raise Permanent(f"The CSV has more than {MAX_ROWS:,} rows")
        if not cells:
            continue
        if len(cells) < len(columns):
            raise Permanent(f"Row {number}, column {shown(columns[len(cells)])}: there is no such cell in the row")
        if len(cells) > len(columns):
            more = len(cells) - len(columns)
            raise Permanent(f"Row {number}, column {shown(columns[-1])}: the row has {more} more after this last one")
        yield Row(number, tuple(cells))
        seen()


def csv_lines(table: Table) -> Iterator[str]:
    """The table as CSV, a line for the header and one for each row."""
    line = io.StringIO(newline="")
    # With CR LF as the line's end csv quotes a cell that has either; with LF alone a CR would be lost.
    writer = csv.writer(line, lineterminator="\r\n")
    writer.writerow(table.columns)
    yield _taken(line)
    for row in table.rows:
        writer.writerow([text_of(cell) for cell in row.cells])
        yield _taken(line)


def _taken(line: io.StringIO) -> str:
    text = line.getvalue()
    line.seek(0)
    line.truncate()
    return text


def json_lines(table: Table) -> Iterator[str]:
    """The table as a JSON array with an object a line: cells of the CSV as text, calculated numbers as numbers."""
    lead = "[\n"
    for row in table.rows:
        yield lead + encode(dict(zip(table.columns, row.cells, strict=True)))
        lead = ",\n"
    yield "[]\n" if lead == "[\n" else "\n]\n"


def bounded(lines: Iterable[str]) -> bytes:
    """The lines as UTF-8; Permanent as soon as they are too many."""
    content = bytearray()
    for line in lines:
        content += line.encode()
        if len(content) > MAX_OUTPUT_BYTES:
            raise Permanent(f"The result has more than {MAX_OUTPUT_BYTES:,} bytes")
    return bytes(content)
