"""Showing things to people: one line for an event, tables for lists; plain text where there is no terminal."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain import exact_json
from domain.instant import from_text
from domain.protocol import EventShown, Explanation, MetricsPage
from domain.state import Status

Row = Mapping[str, Any]

COLOURS: Final[Mapping[str, str]] = {
    Status.PENDING: "yellow",
    Status.PROCESSING: "cyan",
    Status.RETRYING: "magenta",
    Status.COMPLETED: "green",
    Status.FAILED: "red",
    Status.CANCELLED: "dim",
}
COUNTS: Final = ("submitted", "started", "retried", "completed", "failed", "cancelled")
# The parts of an event or audit entry that say what they are by themselves.
_SELF_EXPLAINING: Final = ("message", "action", "reason", "topic")
_LABELS: Final = {
    "attempt": "attempt",
    "by": "by",
    "index": "part",
    "retry_at": "next try at",
    "lease_until": "lease until",
    "priority": "priority",
    "source_ip": "from",
}
# A terminal obeys them: what somebody else wrote could clear it, rename it or have it type. Not lines and tabs.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def text(written: str, style: str = "") -> Text:
    """What somebody wrote, as it was written: no markup of rich, and its control characters as JSON writes them."""
    return Text(escaped(written), style=style)


def escaped(written: str) -> str:
    """The control characters of a text as JSON writes them."""
    return _CONTROL.sub(lambda sign: f"\\u{ord(sign[0]):04x}", written.replace("\r\n", "\n"))


def status(name: str | None) -> Text:
    """A status in its colour."""
    return text(name or "-", style=COLOURS.get(name or "", ""))


def clock(instant: datetime | str | None) -> str:
    """The time of day in UTC to the millisecond, which is what one compares within a request."""
    if instant is None:
        return "-"
    moment = from_text(instant) if isinstance(instant, str) else instant
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03}"


def value(thing: Any) -> str:
    """A JSON value, strings without their quotes."""
    return thing if isinstance(thing, str) else exact_json.encode(thing)


def told(data: Row) -> str:
    """What an event's data or an audit entry tells, in one line."""
    parts = [f"{float(data['percent']):g} %"] if "percent" in data else []
    parts += [value(data[name]) for name in _SELF_EXPLAINING if data.get(name)]
    parts += [f"{_LABELS[name]} {_short(name, data[name])}" for name in _LABELS if name in data]
    if error := data.get("error"):
        parts.append(f"{error['code']}: {error['message']}")
    if "chunk" in data:
        parts.append(value(data["chunk"]))
    if "result" in data:
        parts.append(f"result {value(data['result'])}")
    return "  ".join(parts)


def table(*columns: str, right: Sequence[str] = (), wrap: Sequence[str] = ()) -> Table:
    """An empty table; columns in `wrap` give way when there is little room, the others once that is not enough."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        if column in wrap:
            made.add_column(column)
        else:
            made.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return made


def history(events: Iterable[EventShown]) -> Table:
    """The events of one request."""
    made = table("version", "at (UTC)", "event", "told", right=("version",), wrap=("told",))
    for event in events:
        made.add_row(str(event.version), clock(event.at), text(event.type), _line(told(event.data)))
    return made


def requests(rows: Iterable[Row]) -> Table:
    """A list of requests."""
    made = table("request", "action", "status", "submitted", wrap=("action",))
    for row in rows:
        state = row["state"]
        moving = f" {float(state.get('percent', 0)):g} %" if state.get("status") == Status.PROCESSING else ""
        made.add_row(
            whole(row["request_id"]),
            _line(str(state.get("action", "-"))),
            status(state.get("status")).append(moving),
            text(str(state.get("submitted_at", "-"))[5:16].replace("T", " ")),
        )
    return made


def request(request_id: str, version: int, state: Row) -> Table:
    """One request's state, a line for each part of it."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row("request", text(f"{request_id} at version {version}"))
    for name, part in state.items():
        made.add_row(text(name.replace("_", " ")), status(part) if name == "status" else text(value(part)))
    return made


def metrics(page: MetricsPage) -> Table:
    """The counts of a period, by the minute or coarser, and their totals."""
    made = table("from (UTC)", *COUNTS, right=COUNTS)
    for row in page.rows:
        made.add_row(str(row["at"])[:16].replace("T", " "), *(str(row.get(name, 0)) for name in COUNTS))
    made.add_section()
    made.add_row("total", *(str(page.totals.get(name, 0)) for name in COUNTS), style="bold")
    made.caption = "\n".join([*_latencies(page), *_gauges(page)]) or None
    made.caption_justify = "left"
    return made


def _latencies(page: MetricsPage) -> list[str]:
    """The quantiles of a period's waits and runs."""
    names = {"wait": "waited in the queue", "run": "ran"}
    return [
        f"{what}: " + "  ".join(f"{label} {page.totals[f'{name}_ms_{label}']} ms" for label in ("p50", "p95", "p99"))
        for name, what in names.items()
        if f"{name}_ms_p50" in page.totals
    ]


def _gauges(page: MetricsPage) -> list[str]:
    """What there is now."""
    return ["now: " + "  ".join(f"{count} {name}" for name, count in page.gauges.items())] if page.gauges else []


def explanation(found: Explanation) -> Table:
    """Why a request is where it is, and what became of its attempts."""
    made = Table(box=None, show_header=False, pad_edge=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row("request", text(found.request_id))
    made.add_row("why", text(found.why))
    if found.held_by is not None:
        made.add_row("held by", text(found.held_by))
    if found.position is not None:
        made.add_row("ahead of it", str(found.position))
    made.add_row("log", f"version {found.version}; the views are at {found.view_version}")
    for one in found.attempts:
        ended = f"{one['ended_as']} at {clock(one['ended_at'])}" if "ended_at" in one else "runs"
        error = f"  {one['error']['code']}: {one['error']['message']}" if "error" in one else ""
        what = f"from {clock(one['started_at'])}, {one['events']} events, {ended}{error}"
        made.add_row(f"attempt {one['attempt']}", text(what))
    for one in found.watchers:
        made.add_row("watched by", text(f"{one['connection_id']} on {one['topic']}"))
        if one.get("delivered"):
            made.add_row("", text(str(one["delivered"])))
    return made


def audit(rows: Iterable[Row]) -> Table:
    """Who did what."""
    made = table("at (UTC)", "who", "what", "told", wrap=("told",))
    for row in rows:
        who, what = _line(str(row.get("user_id", "-"))), text(str(row.get("type")))
        made.add_row(clock(row.get("at")), who, what, _line(told(row)))
    return made


def result(console: Console, thing: Any) -> None:
    """A request's result: an object line by line, so that links can be clicked and copied."""
    if not isinstance(thing, Mapping):
        console.print(text(value(thing)), soft_wrap=True)
        return
    parts = {escaped(name): escaped(value(part)) for name, part in thing.items()}
    width = max(map(len, parts), default=0)
    for name, part in parts.items():
        lines = part.splitlines() or [""]
        console.print(Text(f"  {name:{width}}  {lines[0]}"), soft_wrap=True)
        for line in lines[1:]:
            console.print(Text(f"  {'':{width}}  {line}"), soft_wrap=True)


def whole(written: str) -> Text:
    """Text that goes on in the next line where its column is too narrow: half of an id is of no use."""
    return Text(escaped(written), no_wrap=False, overflow="fold")


def _line(written: str) -> Text:
    """Text that is cut where its column ends: rich makes only columns that may wrap give way."""
    return Text(escaped(written), no_wrap=True, overflow="ellipsis")


def _short(name: str, part: Any) -> str:
    return clock(part) if name.endswith(("_at", "_until")) else value(part)
