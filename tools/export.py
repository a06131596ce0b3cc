"""`streamer audit export`: a tenant's audit trail of some days, as JSON Lines or as CSV."""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Final, TextIO

from adapters.items import PassedOver
from domain import exact_json
from tools.operated import Operated

FORMATS: Final = ("jsonl", "csv")
COLUMNS: Final = (
    "at",
    "type",
    "user_id",
    "request_id",
    "version",
    "action",
    "connection_id",
    "topic",
    "source_ip",
    "user_agent",
    "correlation_id",
    "causation_id",
    "hash",
)


def export(
    stack: Operated,
    tenant_id: str,
    first: date,
    last: date,
    user_id: str | None,
    form: str,
    out: Path | None,
    left_out: PassedOver,
) -> int:
    """Write the trail of the days, the last one too; how many entries there were.

    `left_out` is told of each entry that no code can read.
    """
    views = stack.tenant(tenant_id)
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    entries = chain.from_iterable(views.audit(day, user_id, left_out) for day in days)
    with _opened(out) as file:
        return write(entries, form, file)


def write(entries: Iterable[Mapping[str, Any]], form: str, file: TextIO) -> int:
    """Write entries; how many there were. In CSV, what has no column of its own is JSON in the last one."""
    count = 0
    table = csv.writer(file, lineterminator="\n")
    if form == "csv":
        table.writerow([*COLUMNS, "detail"])
    for count, entry in enumerate(entries, start=1):  # noqa: B007 - the last one is how many there were
        if form == "csv":
            rest = {name: value for name, value in entry.items() if name not in COLUMNS}
            table.writerow([*(_cell(entry.get(name, "")) for name in COLUMNS), exact_json.encode(rest) if rest else ""])
        else:
            file.write(f"{exact_json.encode(dict(entry))}\n")
    return count


def _cell(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
    else:
        with out.open("w", encoding="utf-8", newline="") as file:
            yield file
