"""`streamer audit export`: a tenant's audit trail of some days, as JSON Lines or as CSV."""

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, TextIO

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
    stack: Operated, tenant_id: str, first: date, last: date, user_id: str | None, form: str, out: Path | None
) -> int:
    """Write the trail of the days, the last one too; how many entries there were."""
    with _opened(out) as file:
        return write(_entries(stack, tenant_id, first, last, user_id), form, file)


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


def _entries(
    stack: Operated, tenant_id: str, first: date, last: date, user_id: str | None
) -> Iterator[Mapping[str, Any]]:
    views = stack.tenant(tenant_id)
    for number in range((last - first).days + 1):
        yield from views.audit(first + timedelta(days=number), user_id)


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
    else:
        with out.open("w", encoding="utf-8", newline="") as file:
            yield file
