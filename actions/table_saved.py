"""A table between two operations as a file, so that an attempt can go on from there: its columns, then a row a line.

Texts and calculated numbers stay apart and keep every digit, and rows keep their numbers.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import chain
from typing import Final

from actions.table import Cell, Row, Table
from domain.exact_json import decode, encode

MAX_SAVED_BYTES: Final = 64 * 1024 * 1024

Save = Callable[[bytes], None]
Seen = Callable[[float], None]


def saved(table: Table, save: Save, seen: Seen) -> Table:
    """The table again, after its file was handed to `save`; a table too large for a file goes on without.

    `seen` is told after each row that is read again which share of them that is.
    """
    content = bytearray(_line(table.columns))
    rows = iter(table.rows)
    for row in rows:
        content += _line([row.number, row.cells])
        if len(content) > MAX_SAVED_BYTES:
            return Table(table.columns, chain(read_saved(bytes(content), seen).rows, rows))
    whole = bytes(content)
    save(whole)
    return read_saved(whole, seen)


def read_saved(content: bytes, seen: Seen) -> Table:
    """The table in a file."""
    end = content.index(b"\n") + 1
    return Table(tuple(decode(content[:end])), _rows(content, end, seen))


def _rows(content: bytes, start: int, seen: Seen) -> Iterator[Row]:
    while start < len(content):
        end = content.index(b"\n", start) + 1
        number, cells = decode(content[start:end])
        yield Row(number, tuple(map(_cell, cells)))
        seen(end / len(content))
        start = end


def _cell(value: object) -> Cell:
    return value if isinstance(value, str) else Decimal(str(value))


def _line(value: object) -> bytes:
    return encode(value).encode() + b"\n"
