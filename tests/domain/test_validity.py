"""Ids and times that no store takes are refused by the name of their field."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidValue
from domain.instant import epoch_seconds, to_text
from domain.validity import LONGEST_ID, require_aware, require_id

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("value", ["a", " ", "~", "x" * LONGEST_ID, "L0SM9cOFvHcCIhw=", "0198f3c2-8d3e-7000"])
def test_printable_ascii_up_to_the_limit_is_an_id(value: str) -> None:
    require_id("any_id", value)


@given(st.text(max_size=200))
def test_any_text_is_an_id_or_refused_by_its_field(value: str) -> None:
    if 1 <= len(value) <= LONGEST_ID and value.isascii() and value.isprintable():
        require_id("any_id", value)
        return
    with pytest.raises(InvalidValue) as caught:
        require_id("any_id", value)
    assert caught.value.context == {"field": "any_id"}
    assert caught.value.told == "any_id: 1-128 printable ASCII characters"


def test_a_time_has_its_zone_or_is_refused_by_its_field() -> None:
    require_aware("any_at", NOON)
    with pytest.raises(InvalidValue) as caught:
        require_aware("any_at", NOON.replace(tzinfo=None))
    assert caught.value.context == {"field": "any_at"}


def test_a_time_without_a_zone_is_never_taken_for_this_machines() -> None:
    for write in (to_text, epoch_seconds):
        with pytest.raises(ValueError, match="needs a time zone"):
            write(NOON.replace(tzinfo=None))
