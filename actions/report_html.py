"""A report as one page that needs nothing else: no script, no font, no address outside.

Everything that comes from data goes through `escape`, and the page's policy lets nothing run or load even so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Final

from actions.report_chart import chart
from actions.report_period import COUNTS, ENDINGS, Counts, Period, buckets_of
from actions.report_style import STYLE
from domain.instant import from_text

LONGEST_DETAIL: Final = 200
ACTION_COUNTS: Final = ("submitted", *ENDINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a report tells: the counts of the period, those by action, and the newest entries, newest first."""

    title: str
    period: Period
    made_at: datetime
    rows: Sequence[Mapping[str, Any]]
    totals: Counts
    actions: Mapping[str, Counts]
    entries: Sequence[Mapping[str, Any]]


def page(report: Report) -> str:
    """The whole page."""
    title = escape(report.title)
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>",
        f'<h1>{title}</h1>\n<p class="soft">{_span(report.period)}</p>',
        _tiles(report.totals),
        _chart_section(report),
        f'<div class="pair">{_totals_section(report.totals)}{_actions_section(report.actions)}</div>',
        _audit_section(report.entries),
        f"<footer>Made by Streamer at {_time(report.made_at)} UTC. All times are UTC.</footer>",
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _span(period: Period) -> str:
    return f"{_time(period.start)} to {_time(period.end)} UTC"


def _time(at: datetime) -> str:
    return f"<time>{at:%Y-%m-%d %H:%M:%S}</time>"


def _tiles(totals: Counts) -> str:
    tiles = [
        f'<div class="tile" style="--mark:var(--{name})"><b>{totals[name]:,}</b>{name}</div>' for name in ACTION_COUNTS
    ]
    ended = sum(totals[name] for name in ENDINGS)
    share = f"{100 * totals['completed'] / ended:.1f} %" if ended else "&ndash;"
    return f'<div class="tiles">{"".join(tiles)}<div class="tile"><b>{share}</b>success rate</div></div>'


def _chart_section(report: Report) -> str:
    unit = report.period.unit
    head = f"<section><h2>Requests by the {unit.word}</h2>"
    if not any(report.totals.values()):
        return f'{head}<p class="soft">Nothing was submitted, run or finished in this period.</p></section>'
    buckets = buckets_of(report.period, report.rows)
    legend = "".join(f'<li style="--mark:var(--{name})">{name}</li>' for name in ENDINGS)
    return (
        f'{head}<ul class="legend"><li class="as-line" style="--mark:var(--submitted)">submitted</li>{legend}</ul>'
        f'<div class="wide">{chart(buckets, unit, width=900, height=280, labels=10)}</div>'
        f'<div class="narrow">{chart(buckets, unit, width=340, height=230, labels=5)}</div></section>'
    )


def _totals_section(totals: Counts) -> str:
    rows = "".join(f'<tr><th scope="row">{name}</th>{_number(totals[name])}</tr>' for name in COUNTS)
    return f"<section><h2>Totals</h2><table><tbody>{rows}</tbody></table></section>"


def _actions_section(actions: Mapping[str, Counts]) -> str:
    if not actions:
        return '<section><h2>Actions</h2><p class="soft">No action was asked for in this period.</p></section>'
    head = "".join(f'<th class="number" scope="col">{name}</th>' for name in ACTION_COUNTS)
    most_used = sorted(actions.items(), key=lambda item: (-item[1]["submitted"], item[0]))
    rows = "".join(
        f'<tr><th scope="row">{escape(action)}</th>{"".join(_number(counts[name]) for name in ACTION_COUNTS)}</tr>'
        for action, counts in most_used
    )
    return (
        f'<section class="actions"><h2>Actions</h2><table><thead><tr><th scope="col">action</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></section>"
    )


def _number(count: int) -> str:
    return f'<td class="number">{count:,}</td>'


def _audit_section(entries: Sequence[Mapping[str, Any]]) -> str:
    if not entries:
        return '<section><h2>Newest audit entries</h2><p class="soft">There are none in this period.</p></section>'
    head = "".join(f'<th scope="col">{name}</th>' for name in ("time", "event", "user", "action", "request", "detail"))
    rows = "".join(_audit_row(entry) for entry in entries)
    return (
        f'<section class="audit"><h2>Newest audit entries</h2><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></section>"
    )


def _audit_row(entry: Mapping[str, Any]) -> str:
    cells = [
        _time(from_text(entry["at"])),
        escape(str(entry["type"])),
        escape(str(entry.get("user_id") or "")),
        escape(str(entry.get("action") or "")),
        f"<code>{escape(str(entry.get('request_id') or ''))}</code>",
        escape(_detail(entry)),
    ]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def _detail(entry: Mapping[str, Any]) -> str:
    """What else an entry tells, as text, cut where it is long."""
    error = entry.get("error") or {}
    parts = {
        "attempt": entry.get("attempt"),
        error.get("code"): error.get("message"),
        "by": entry.get("by"),
        "reason": entry.get("reason"),
        "topic": entry.get("topic"),
        "from": entry.get("source_ip"),
    }
    text = "; ".join(f"{name} {value}" for name, value in parts.items() if name and value)
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL]}…"
