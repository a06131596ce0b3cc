from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.instant import EPOCH, epoch_seconds, from_epoch, from_text, passed_seconds, to_instant, to_text
from tests.strategies import START, instants


@given(instants)
def test_an_instant_survives_the_trip_through_text(instant: datetime) -> None:
    assert from_text(to_text(instant)) == instant


@given(instants, instants)
def test_the_order_of_texts_is_the_order_of_time(one: datetime, other: datetime) -> None:
    assert (to_text(one) < to_text(other)) == (one < other)


@given(st.datetimes(timezones=st.timezones()))
def test_any_moment_with_a_zone_is_an_instant_or_a_value_error(moment: datetime) -> None:
    try:
        instant = to_instant(moment)
    except ValueError:
        return
    assert instant.tzinfo is UTC
    assert timedelta(0) <= moment - instant < timedelta(milliseconds=1)


def test_an_instant_is_written_with_milliseconds_and_a_z() -> None:
    moment = datetime(2026, 11, 22, 9, 24, 41, 120999, tzinfo=timezone(timedelta(hours=1)))
    assert to_text(to_instant(moment)) == "2026-11-22T08:24:41.120Z"
    assert to_text(moment) == "2026-11-22T08:24:41.120Z"


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "2026-01-01", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_a_text_without_zone_or_sense_names_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_text(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"])
def test_beyond_the_edges_of_the_calendar_there_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match="between the years 1 and 9999"):
        from_text(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"])
def test_the_edges_of_the_calendar_are_instants(text: str) -> None:
    assert to_text(from_text(text)) == text


def test_time_to_live_is_rounded_up_to_the_second() -> None:
    assert epoch_seconds(EPOCH) == 0
    assert epoch_seconds(EPOCH + timedelta(milliseconds=1)) == 1
    assert epoch_seconds(EPOCH + timedelta(seconds=1)) == 1
    assert from_epoch(epoch_seconds(START)) == START


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_time_to_live_is_over_by_its_number_exactly_when_it_is_by_its_instant(ends_ms: int, now_ms: int) -> None:
    now = EPOCH + timedelta(milliseconds=now_ms)
    for distance in (ends_ms, now_ms, now_ms + 1, now_ms + 999, now_ms + 1000):
        seconds = epoch_seconds(EPOCH + timedelta(milliseconds=distance))
        assert (seconds > passed_seconds(now)) == (from_epoch(seconds) > now)
