"""Whatever is in a record, a replay tells that it is unreadable and goes on."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit import replay as kit
from tests.kit.record_streams import FIXTURES
from tools import replay
from tools.recording import Found
from tools.registry import PROJECTIONS

RECORDS = [record for file in sorted(FIXTURES.glob("moto-*.json")) for record in kit.records_of(file)]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
junk = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4)


def places(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every path in nested objects."""
    if not isinstance(value, dict):
        return [path]
    return [path, *(place for name, inner in value.items() for place in places(inner, (*path, name)))]


def changed(value: Any, path: tuple[str, ...], to: Any) -> Any:
    """The value with another one at a path."""
    return {**value, path[0]: changed(value[path[0]], path[1:], to)} if path else to


@given(st.data())
def test_no_record_whatever_is_in_it_stops_a_replay(data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(RECORDS))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(record)[1:]))
        record = changed(record, path, data.draw(junk))
    reading = replay.reading([Found(1, record)])
    assert reading.read == 1
    for projection in PROJECTIONS.values():
        projection.rows(reading.told())


@pytest.mark.parametrize("at", [1e20, 1e400, -1e20, float("nan")])
def test_a_time_that_no_calendar_has_is_unreadable(at: float) -> None:
    removed = next(record for record in RECORDS if record["eventName"] == "REMOVE")
    record = changed(removed, ("dynamodb", "ApproximateCreationDateTime"), at)
    assert len(replay.reading([Found(1, record)]).unreadable) == 1
