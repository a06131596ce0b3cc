"""Ids and times that no store takes are refused by the name of their field."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.errors import InvalidValue, PayloadTooLarge
from domain.events import Failure
from domain.instant import epoch_seconds, to_text
from domain.names import LONGEST_ID, require_aware, require_id
from domain.validity import (
    KINDS,
    Checked,
    as_text,
    checked,
    require_json,
    require_text,
    require_whole_text,
)
from tests.contracts.bad import BAD

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


@pytest.mark.parametrize("name", KINDS)
def test_what_a_name_does_not_stand_for_is_refused_by_it(name: str) -> None:
    for value in BAD[name]:
        if value is None and name in ("limit", "cursor"):
            continue
        with pytest.raises(InvalidValue) as caught:
            KINDS[name](name, value)
        field = caught.value.context["field"]
        assert field.partition(".")[0] == name
        assert caught.value.told.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("tenant_id", value) for value in ("a", "9b2d6c0e-4f3a-4a51", "auth0|5f7c8ec7", "x" * 128)),
        *(("correlation_id", value) for value in ("", "Dm7PQdGioAMFqyg=")),
        *(
            ("message", value)
            for value in ("", "line 1\n\tline 2", "\U0001f468\u200d\U0001f469 \u00e9\u2028", "x" * 256)
        ),
        *(("delay", value) for value in (timedelta(0), timedelta(days=7))),
        *(("percent", value) for value in (0, 100.0, -1e300, 10**400)),
        *(("priority", value) for value in (0, 9)),
        *(("version", value) for value in (1, 10**15 - 1)),
        *(("limit", value) for value in (1, 1000)),
        *(("metadata", value) for value in ({}, {"a b": ""}, {str(n): "x" * 256 for n in range(16)})),
        *(("payload", value) for value in (None, 2**53 + 1, Decimal("0.1"), Decimal("1E+400"), [{"a": "\x00"}])),
        ("error", Failure(code="X", message="x" * 1000)),
        ("cursor", "2026-11-22T08:24:41.120Z#r-1#0000000001"),
        ("key", "\u00fc" * 512),
        ("day", NOON.date()),
        ("expires_at", NOON),
    ],
)
def test_what_a_name_stands_for_passes(name: str, value: Any) -> None:
    KINDS[name](name, value)


@pytest.mark.parametrize("over", [0, 1])
def test_json_has_at_most_so_many_bytes_however_few_its_characters(over: int) -> None:
    for text in ("x" * (8 + over), "\u00e9" * 4 + "x" * over):
        if over:
            with pytest.raises(PayloadTooLarge) as caught:
                require_json("chunk", text, limit=10)
            assert caught.value.context == {"field": "chunk"}
        else:
            require_json("chunk", text, limit=10)


def test_json_is_not_nested_too_deep() -> None:
    require_json("chunk", [[]], limit=10, depth=2)
    with pytest.raises(InvalidValue, match="nested deeper than 1"):
        require_json("chunk", [[]], limit=10, depth=1)


def test_half_of_a_surrogate_pair_is_no_text_that_a_row_can_hold() -> None:
    require_whole_text("data", "\x00\U0001f468")
    with pytest.raises(InvalidValue) as caught:
        require_whole_text("data", "\ud800")
    assert caught.value.context == {"field": "data"}


@given(st.text(st.characters(), max_size=300))
def test_whatever_somebody_wrote_becomes_text_that_is_taken(written: str) -> None:
    text = as_text(written)
    require_text("message", text)
    assert as_text(text) == text
    assert len(text) == min(len(written), 256)


class Door:
    """A method with a few arguments, and how often it was reached."""

    def __init__(self) -> None:
        self.reached = 0

    @checked
    def read(self, request_id: str, limit: int | None = None, cursor: str | None = None, other: object = None) -> str:
        self.reached += 1
        return f"{request_id} {limit} {cursor} {other}"


def test_a_method_is_reached_with_good_arguments_only_however_they_are_passed() -> None:
    door = Door()
    assert door.read("r-1") == "r-1 None None None"
    assert door.read("r-1", 5, cursor="c", other=NOON) == f"r-1 5 c {NOON}"
    assert door.read(request_id="r-1", limit=None) == "r-1 None None None"
    calls: list[Callable[[], object]] = [
        lambda: door.read(""),
        lambda: door.read(request_id=""),
        lambda: door.read("r-1", 0),
        lambda: door.read("r-1", limit=0),
        lambda: door.read("r-1", None, ""),
        lambda: door.read(None),  # type: ignore[arg-type] # None passes only where the annotation allows it
    ]
    for call in calls:
        with pytest.raises(InvalidValue):
            call()
    assert door.reached == 3


class Named(Checked, frozen=True):
    """A value with a name that must be there, one that need not, and one without rules."""

    request_id: str
    retry_of: str | None = None
    other: object = None


def test_a_value_cannot_be_made_of_bad_fields() -> None:
    assert Named("r-1", None, "").retry_of is None
    bad: dict[str, Any]
    for bad in ({"request_id": ""}, {"retry_of": ""}, {"retry_of": "\n"}):
        with pytest.raises(InvalidValue):
            replace(Named("r-1"), **bad)
