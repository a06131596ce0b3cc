"""`streamer audit export`: a tenant's audit trail of some days, as JSON Lines or as CSV."""

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Final, TextIO

from adapters.tenant_views import TenantViews
from domain import exact_json
from domain.errors import Undecodable
from domain.validity import MOST_LISTED
from tools.operated import Operated

LeftOut = Callable[[Undecodable], object]
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
    left_out: LeftOut,
) -> int:
    """Write the trail of the days, the last one too; how many entries there were.

    `left_out` is told of each entry that no code can read.
    """
    views = stack.tenant(tenant_id)
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    entries = chain.from_iterable(_entries(views, day, user_id, left_out) for day in days)
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


def _entries(views: TenantViews, day: date, user_id: str | None, left_out: LeftOut) -> Iterator[Mapping[str, Any]]:
    try:
        yield from views.audit(day, user_id)
    except Undecodable as exc:
        place = _place(exc)
        left_out(exc)
        yield from _following(views, day, user_id, left_out, place)


def _following(
    views: TenantViews, day: date, user_id: str | None, left_out: LeftOut, after: str | None
) -> Iterator[Mapping[str, Any]]:
    """The entries after a place, by pages: smaller and smaller ones up to the next entry that no code can read."""
    limit = MOST_LISTED
    while after is not None:
        try:
            page, after = views.audit_page(day, limit, after, user_id)
        except Undecodable as exc:
            if limit == 1:
                after, limit = _place(exc), MOST_LISTED
                left_out(exc)
            else:
                limit //= 2
        else:
            yield from page


def _place(exc: Undecodable) -> str:
    """Where the entry is; an error that does not tell it is raised: nobody can go on after it."""
    if "entry" not in exc.context:
        raise exc
    return str(exc.context["entry"])


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
    else:
        with out.open("w", encoding="utf-8", newline="") as file:
            yield file
