"""generate_report as its user sees it: what it reads, what it writes, what it says on the way."""

from typing import Any

import pytest

from actions.outcomes import Stopped
from actions.testing import MemoryFiles, MemoryViews, Ran, RecordingProgress, run
from domain.errors import InvalidFrame

NO_COUNTS = {"submitted": 0, "started": 0, "retried": 0, "completed": 0, "failed": 0, "cancelled": 0, "outputs": 0}
METRICS = [
    {"at": "2026-11-22T08:23:00.000Z", "submitted": 100},
    {"at": "2026-11-22T08:24:00.000Z", "submitted": 3, "started": 3, "retried": 1, "completed": 2, "latency_ms": [1]},
    {"at": "2026-11-22T08:25:00.000Z", "failed": 1, "outputs": 7},
    {"at": "2026-11-22T08:26:00.000Z", "submitted": 100},
]


def entry(at: str, event: str, action: str | None = None, **more: Any) -> dict[str, Any]:
    told = {"at": f"2026-11-{at}.000Z", "type": event, "user_id": "ada", **more}
    return told if action is None else told | {"action": action}


def report(
    start: str = "2026-11-22T08:24:00Z", end: str = "2026-11-22T08:26:00Z", *, views: MemoryViews | None = None
) -> Ran:
    return run("generate_report", {"start": start, "end": end}, views=views or MemoryViews(METRICS))


def html_of(ran: Ran) -> str:
    return ran.files.contents["results/1/report.html"].decode()


def test_the_result_has_the_totals_of_the_period_and_links_to_both_files() -> None:
    assert report().result == {
        "rows": 2,
        "totals": NO_COUNTS | {"submitted": 3, "started": 3, "retried": 1, "completed": 2, "failed": 1, "outputs": 7},
        "csv": {"key": "results/1/report.csv", "link": "https://files.example/results/1/report.csv"},
        "html": {"key": "results/1/report.html", "link": "https://files.example/results/1/report.html"},
    }


def test_the_csv_has_a_line_for_each_minute_in_which_something_was_counted() -> None:
    files = report().files
    assert files.contents["results/1/report.csv"].decode().splitlines() == [
        "at,submitted,started,retried,completed,failed,cancelled,outputs",
        "2026-11-22T08:24:00.000Z,3,3,1,2,0,0,0",
        "2026-11-22T08:25:00.000Z,0,0,0,0,1,0,7",
    ]
    assert files.content_types == {
        "results/1/report.csv": "text/csv; charset=utf-8",
        "results/1/report.html": "text/html; charset=utf-8",
    }


def test_actions_are_counted_from_the_audit_entries_within_the_period() -> None:
    views = MemoryViews(
        METRICS,
        [
            entry("22T08:23:59", "RequestSubmitted", "early"),
            entry("22T08:24:00", "RequestSubmitted", "echo"),
            entry("22T08:24:01", "RequestSubmitted", "zoom"),
            entry("22T08:24:01", "AttemptFailed", "zoom"),
            entry("22T08:24:02", "RequestSubmitted", "zoom"),
            entry("22T08:24:03", "RequestCompleted", "zoom"),
            entry("22T08:24:04", "RequestFailed", "zoom"),
            entry("22T08:24:05", "ConnectionOpened"),
            entry("22T08:26:00", "RequestSubmitted", "late"),
        ],
    )
    page = html_of(report(views=views))
    rows = page[page.index("<h2>Actions") : page.index("<h2>Newest")].split('<th scope="row">')[1:]
    plain = [row.replace('<td class="number">', " ").split("</tr>")[0] for row in rows]
    assert [row.replace("</th>", "").replace("</td>", "") for row in plain] == ["zoom 2 1 1 0", "echo 1 0 0 0"]


def test_the_newest_fifty_entries_are_listed_newest_first() -> None:
    entries = [entry(f"22T08:24:{n:02}", "AttemptStarted", request_id=f"req-{n:02}") for n in range(60)]
    page = html_of(report(views=MemoryViews([], entries)))
    listed = [part[:6] for part in page.split("<code>")[1:]]
    assert listed == [f"req-{n:02}" for n in range(59, 9, -1)]


def test_an_empty_period_gets_a_report_that_says_so() -> None:
    ran = report(views=MemoryViews())
    assert ran.result["totals"] == NO_COUNTS
    assert ran.files.contents["results/1/report.csv"].decode().count("\n") == 1
    assert "Nothing was submitted, run or finished in this period." in html_of(ran)
    assert "<svg" not in html_of(ran)


def test_progress_tells_each_phase_and_each_day() -> None:
    rows = [{"at": f"2026-11-{day}T{hour}:00:00.000Z", "submitted": 1} for day in (21, 22) for hour in (12, 13)]
    entries = [entry("21T12:00:00", "RequestSubmitted"), entry("22T12:00:00", "RequestSubmitted")]
    ran = report("2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z", views=MemoryViews(rows, entries))
    assert ran.progress.messages == [
        "Reading the metrics of 2026-11-21",
        "Reading the metrics of 2026-11-22",
        "Reading the audit of 2026-11-21: 0 entries so far",
        "Reading the audit of 2026-11-22: 1 entries so far",
        "Writing report.csv",
        "Writing report.html",
        "Report made: minutes with requests 4, audit entries 2",
    ]
    assert ran.progress.percents == [10, 30, 40, 60, 85, 92, 100]


def test_a_long_day_is_told_of_every_thousand_entries_so_that_it_can_be_cancelled() -> None:
    views = MemoryViews([], [entry("22T08:24:00", "AttemptStarted")] * 2500)
    progress, files = RecordingProgress(stop_after=2), MemoryFiles()
    payload = {"start": "2026-11-22T08:24:00Z", "end": "2026-11-22T08:26:00Z"}
    with pytest.raises(Stopped):
        run("generate_report", payload, views=views, progress=progress, files=files)
    assert progress.messages[-1] == "Reading the audit of 2026-11-22: 1,000 entries so far"
    assert files.contents == {}


def test_the_same_period_gives_the_same_bytes() -> None:
    assert report().files.contents == report().files.contents


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-22T08:24:00Z", "2026-11-22T08:24:00Z"),
        ("2026-11-22T08:24:00Z", "2026-11-22T08:23:00Z"),
        ("2026-10-22T08:24:00Z", "2026-11-22T08:24:00.001Z"),
        ("2026-11-22T08:24:00", "2026-11-22T08:25:00"),
        ("yesterday", "2026-11-22T08:25:00Z"),
    ],
)
def test_a_period_that_is_none_or_longer_than_31_days_is_refused(start: str, end: str) -> None:
    with pytest.raises(InvalidFrame):
        report(start, end)


def test_31_days_are_a_period_also_at_the_end_of_time() -> None:
    assert report("2026-10-22T00:00:00Z", "2026-11-22T00:00:00Z").result["rows"] == 0
    last = [{"at": "9999-12-31T23:59:00.000Z", "submitted": 1}]
    assert "31 Dec" in html_of(report("9999-12-01T00:00:00Z", "9999-12-31T23:59:59Z", views=MemoryViews(last)))
