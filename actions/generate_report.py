"""generate_report: what happened in a tenant over a period, as a CSV of counts and a page to read.

What took long to read is saved: the counts once they are read, the audit after each day of it. An attempt that follows
one that was lost reads neither again.
"""

import csv
import io
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Self

from msgspec import Meta, Struct, convert, to_builtins

from actions.context import Context
from actions.registry import action
from actions.report_html import Report, page
from actions.report_period import COUNTS, Period, counted_as, counts_in, totals_of
from domain.exact_json import decode, encode
from domain.identity import TENANT_READ
from domain.instant import from_text
from domain.instant_field import Instant, WithInstants

LONGEST: Final = timedelta(days=31)
NEWEST_ENTRIES: Final = 50
ENTRIES_A_REPORT: Final = 1_000
SAVED_FROM: Final = 1_000  # rows or entries; fewer are read again sooner than they are saved


class GenerateReportInput(WithInstants, frozen=True, forbid_unknown_fields=True):
    """From start until before end, at most 31 days."""

    instants: ClassVar[tuple[str, ...]] = ("start", "end")
    start: Instant
    end: Instant
    title: Annotated[str, Meta(min_length=1, max_length=200)] = "Requests"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not timedelta(0) < self.end - self.start <= LONGEST:
            raise ValueError("end has to be after start, by at most 31 days")


@action("generate_report", scope=TENANT_READ)
def generate_report(payload: GenerateReportInput, context: Context) -> dict[str, Any]:
    """Read the views, write report.csv and report.html, give their links and the totals."""
    period = Period(payload.start, payload.end)
    saved = _Saved.of(context)
    if saved.metrics is None:
        rows = _read_metrics(period, context)
        saved.save_metrics(rows, context)
    else:
        rows = decode(context.files.read(saved.metrics))
    reader = _AuditReader(period, context, saved)
    for number, day in enumerate(period.days[saved.days :], start=saved.days):
        reader.read(day, number)
        saved.save_audit(reader, number + 1, context)
    totals = totals_of(rows)
    report = Report(
        title=payload.title,
        period=period,
        made_at=context.now,
        rows=rows,
        totals=totals,
        actions=reader.actions,
        entries=list(reversed(reader.newest)),
    )
    context.progress.report(85, "Writing report.csv")
    csv_file = _store(context, "report.csv", csv_of(rows), "text/csv; charset=utf-8")
    context.progress.report(92, "Writing report.html")
    html_file = _store(context, "report.html", page(report), "text/html; charset=utf-8")
    context.progress.report(100, f"Report made: minutes with requests {len(rows):,}, audit entries {reader.entries:,}")
    return {"rows": len(rows), "totals": totals, "csv": csv_file, "html": html_file}


class _Saved(Struct):
    """What has been read: the file with the metrics, and what the audit of so many days came to.

    It is a file itself, whose key is the checkpoint.
    """

    metrics: str | None = None
    days: int = 0
    entries: int = 0
    actions: dict[str, dict[str, int]] = {}
    newest: list[dict[str, Any]] = []

    @classmethod
    def of(cls, context: Context) -> Self:
        """What earlier attempts have read."""
        if context.checkpoint is None:
            return cls()
        return convert(decode(context.files.read(context.checkpoint)), cls)

    def save_metrics(self, rows: Sequence[Mapping[str, Any]], context: Context) -> None:
        """Save the rows if they are many."""
        if len(rows) >= SAVED_FROM:
            self.metrics = context.files.write("metrics.json", encode(rows).encode(), "application/json")
            self._save(context)

    def save_audit(self, reader: "_AuditReader", days: int, context: Context) -> None:
        """Save what the days came to if many entries were read since it was saved before."""
        if reader.entries - self.entries >= SAVED_FROM:
            self.days, self.entries = days, reader.entries
            self.actions, self.newest = reader.actions, [dict(entry) for entry in reader.newest]
            self._save(context)

    def _save(self, context: Context) -> None:
        content = encode(to_builtins(self, builtin_types=(Decimal,))).encode()
        context.progress.checkpoint(context.files.write(f"read-{self.days}.json", content, "application/json"))


def csv_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """The counts by the minute, a line each."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["at", *COUNTS])
    for row in rows:
        writer.writerow([row["at"], *counts_in(row).values()])
    return text.getvalue()


def _read_metrics(period: Period, context: Context) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    day = None
    for row in context.views.metrics(period.start, period.end):
        at = from_text(row["at"])
        if at.date() != day:
            day = at.date()
            context.progress.report(round(40 * period.share(at), 1), f"Reading the metrics of {day}")
        rows.append({"at": row["at"], **counts_in(row)})
    return rows


class _AuditReader:
    """Goes through the audit view day by day, and keeps the counts by action and the newest entries."""

    def __init__(self, period: Period, context: Context, saved: _Saved) -> None:
        self.actions = saved.actions
        self.newest: deque[Mapping[str, Any]] = deque(saved.newest, maxlen=NEWEST_ENTRIES)
        self.entries = saved.entries
        self._period = period
        self._context = context

    def read(self, day: date, number: int) -> None:
        """Take in the entries of a day of the period."""
        self._report(day, number)
        for entry in self._context.views.audit(day):
            if self._period.contains(from_text(entry["at"])):
                self._take_in(entry)
                if self.entries % ENTRIES_A_REPORT == 0:
                    self._report(day, number)

    def _take_in(self, entry: Mapping[str, Any]) -> None:
        self.entries += 1
        self.newest.append(entry)
        counted = counted_as(entry)
        if counted is not None:
            name, count = counted
            self.actions.setdefault(name, dict.fromkeys(COUNTS, 0))[count] += 1

    def _report(self, day: date, number: int) -> None:
        percent = 40 + 40 * number / len(self._period.days)
        self._context.progress.report(round(percent, 1), f"Reading the audit of {day}: {self.entries:,} entries so far")


def _store(context: Context, name: str, text: str, content_type: str) -> dict[str, str]:
    key = context.files.write(name, text.encode(), content_type)
    return {"key": key, "link": context.files.link(key)}
