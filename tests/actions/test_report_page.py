"""The page of a report: nothing in it can run, its chart tells the truth."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.report_axes import Plot, grid_step, short_count
from actions.report_chart import chart
from actions.report_html import Report, page
from actions.report_period import COUNTS, Bucket, Period, Unit, buckets_of, totals_of
from domain.instant import to_text

START = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
HOUR = Period(START, START + timedelta(hours=1))
ATTACK = "<script>alert('&\"')</script>"
NONE = dict.fromkeys(COUNTS, 0)


def page_of(
    title: str = "Requests", actions: Mapping[str, Any] | None = None, entry: Mapping[str, Any] | None = None
) -> str:
    rows = [{"at": to_text(START), "submitted": 1}]
    return page(
        Report(
            title=title,
            period=HOUR,
            made_at=START,
            rows=rows,
            totals=totals_of(rows),
            actions=actions or {},
            entries=[entry] if entry else [],
        )
    )


class Seen(HTMLParser):
    """The tags and the text of a page, as a browser understands them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def entry_with(field: str) -> dict[str, Any]:
    return {"at": to_text(START), "type": "RequestFailed", field: ATTACK}


@pytest.mark.parametrize(
    "html",
    [
        pytest.param(page_of(title=ATTACK), id="title"),
        pytest.param(page_of(actions={ATTACK: NONE}), id="name of an action"),
        *(
            pytest.param(page_of(entry=entry_with(field)), id=field)
            for field in ("type", "user_id", "action", "request_id", "reason", "by", "topic")
        ),
        pytest.param(
            page_of(entry={"at": to_text(START), "type": "x", "error": {"code": "C", "message": ATTACK}}),
            id="message of an error",
        ),
    ],
)
def test_what_comes_from_data_is_shown_as_text_and_never_becomes_a_tag(html: str) -> None:
    seen = Seen(html)
    assert "script" not in seen.tags
    assert "<script>alert('&" in seen.text


def test_the_page_needs_nothing_from_outside_and_lets_nothing_run() -> None:
    html = page_of()
    assert "http" not in html.replace("http-equiv", "")
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert "url(" not in html
    assert "prefers-color-scheme:dark" in html
    assert "@media print" in html


def test_a_long_detail_is_cut() -> None:
    told = "reason " + "d" * 1000
    assert f"<td>{told[:200]}…</td>" in page_of(entry=entry_with("type") | {"reason": "d" * 1000})


@pytest.mark.parametrize(
    ("length", "unit", "buckets"),
    [
        (timedelta(milliseconds=1), Unit.MINUTE, 1),
        (timedelta(hours=2), Unit.MINUTE, 120),
        (timedelta(hours=2, milliseconds=1), Unit.HOUR, 3),
        (timedelta(days=5), Unit.HOUR, 120),
        (timedelta(days=5, minutes=1), Unit.DAY, 6),
        (timedelta(days=31), Unit.DAY, 32),
    ],
)
def test_a_period_is_cut_into_minutes_hours_or_days_by_its_length(length: timedelta, unit: Unit, buckets: int) -> None:
    period = Period(START, START + length)
    assert period.unit is unit
    assert len(period.bucket_starts()) == buckets


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis
    st.timedeltas(timedelta(minutes=1), timedelta(days=31)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 99)), max_size=20),
)
def test_nothing_that_was_counted_gets_lost_between_buckets(
    start: datetime, length: timedelta, counted: list[tuple[float, int]]
) -> None:
    period = Period(start, start + length)
    rows = [
        {"at": to_text((start + share * length).replace(second=0, microsecond=0)), "submitted": count}
        for share, count in counted
    ]
    buckets = buckets_of(period, rows)
    assert sum(bucket.counts["submitted"] for bucket in buckets) == sum(count for _, count in counted)
    assert [bucket.start for bucket in buckets] == sorted({bucket.start for bucket in buckets})


@given(st.integers(0, 10**9))
def test_the_grid_reaches_the_highest_count_in_at_most_five_round_steps(highest: int) -> None:
    step = grid_step(highest)
    assert step * 5 >= highest
    assert re.fullmatch("[125]0*", str(step))
    assert step == 1 or highest > step * 2


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0"), (999, "999"), (1000, "1k"), (2500, "2.5k"), (20_000, "20k"), (5_000_000, "5M")]
)
def test_a_count_fits_its_axis(value: int, told: str) -> None:
    assert short_count(value) == told


def test_a_bar_stands_on_the_axis_with_its_parts_on_top_of_each_other() -> None:
    told = NONE | {"submitted": 3, "completed": 2, "failed": 1, "cancelled": 1}
    # 42 units of the height are margins, so 100 are left for counts of 0 to 4.
    drawing = ET.fromstring(chart([Bucket(START, told)], Unit.MINUTE, width=340, height=142, labels=5))  # noqa: S314
    bars = {bar.attrib["class"]: (bar.attrib["y"], bar.attrib["height"]) for bar in drawing.iter("rect")}
    assert (bars["completed"], bars["failed"], bars["cancelled"]) == (
        ("62.0", "50.0"),
        ("37.0", "25.0"),
        ("12.0", "25.0"),
    )
    assert [circle.attrib["cy"] for circle in drawing.iter("circle")] == ["37.0"]


@given(st.lists(st.tuples(*[st.integers(0, 500)] * 4), min_size=1, max_size=120), st.sampled_from(Unit))
def test_bars_are_as_high_as_what_ended_and_stay_within_the_chart(
    counts: list[tuple[int, int, int, int]], unit: Unit
) -> None:
    names = ("submitted", "completed", "failed", "cancelled")
    buckets = [
        Bucket(START + n * unit.value, NONE | dict(zip(names, told, strict=True))) for n, told in enumerate(counts)
    ]
    drawing = ET.fromstring(chart(buckets, unit, width=900, height=280, labels=10))  # noqa: S314 - our own
    highest = max(max(told[0], sum(told[1:])) for told in counts)
    step = grid_step(highest)
    plot = Plot(900, 280, len(buckets), max(1, -(-highest // step)) * step)
    for name, place in zip(names[1:], (1, 2, 3), strict=True):
        bars = [float(bar.attrib["height"]) for bar in drawing.iter("rect") if bar.attrib["class"] == name]
        told = [plot.y(0) - plot.y(count[place]) for count in counts if count[place]]
        assert bars == pytest.approx(told, abs=0.2)
    points = drawing.findall("polyline")[0].attrib["points"].split()
    assert [float(point.split(",")[1]) for point in points] == pytest.approx(
        [plot.y(count[0]) for count in counts], abs=0.1
    )
    assert all(float(bar.attrib["y"]) >= 11.9 for bar in drawing.iter("rect"))
    labels = [text for text in drawing.iter("text") if text.attrib["text-anchor"] == "middle"]
    assert len(labels) <= 11


@pytest.mark.parametrize(
    ("start", "length", "labels"),
    [
        (START, timedelta(minutes=4), ["07:00", "07:01", "07:02", "07:03"]),
        (START, timedelta(hours=1), ["07:00", "07:10", "07:20", "07:30", "07:40", "07:50"]),
        (START, timedelta(days=1), ["09:00", "12:00", "15:00", "18:00", "21:00", "23 Nov", "03:00", "06:00"]),
        (START, timedelta(days=31), ["22 Nov", "27 Nov", "2 Dec", "7 Dec", "12 Dec", "17 Dec", "22 Dec"]),
    ],
)
def test_the_time_axis_has_round_times_and_says_where_a_day_begins(
    start: datetime, length: timedelta, labels: list[str]
) -> None:
    period = Period(start, start + length)
    drawing = ET.fromstring(chart(buckets_of(period, []), period.unit, width=900, height=280, labels=10))  # noqa: S314
    assert [text.text for text in drawing.iter("text") if text.attrib["text-anchor"] == "middle"] == labels
