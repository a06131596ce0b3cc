"""Reading what comes from outside: every field that is wrong is named at once, and no value is repeated."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

import pytest
from msgspec import Meta, Struct, field

from domain.errors import InvalidFrame
from domain.instant_field import Instant, WithInstants
from domain.reading import MOST_TOLD, read
from domain.state import Status

SECRET = "s3cr3t-value"


class Part(Struct, forbid_unknown_fields=True):
    """A part of what is asked for."""

    size: Annotated[int, Meta(ge=1)]


class Asked(WithInstants, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody asks for."""

    instants: ClassVar[tuple[str, ...]] = ("at",)
    name: str
    of: Literal["day", "hour"] = field(name="as", default="day")
    parts: list[Part] = field(default_factory=list)
    labels: dict[Annotated[str, Meta(max_length=3)], str] = field(default_factory=dict)
    at: Instant | None = None
    kinds: list[Literal["a", "b"]] = field(default_factory=list)
    status: Status | None = None
    code: Annotated[str, Meta(pattern="^[0-9]+$")] = "0"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name == "both" and self.at:
            raise ValueError("either name or at")


class Open(Struct):
    """What may have more fields than anybody knows."""

    name: str


def told(value: Any, kind: type[Struct] = Asked) -> str:
    """Why a value is refused."""
    with pytest.raises(InvalidFrame) as caught:
        read(value, kind, "asked")
    assert SECRET not in caught.value.told
    return caught.value.told


def test_what_fits_is_read() -> None:
    asked = read(
        {"name": "a", "as": "hour", "parts": [{"size": 1}], "at": "2026-01-01T01:00:00.1239+01:00"}, Asked, "x"
    )
    assert asked == Asked(name="a", of="hour", parts=[Part(1)], at=datetime(2026, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC))
    assert read({"name": "a", "more": 1}, Open, "x") == Open("a")


def test_every_field_that_is_wrong_is_told_at_once() -> None:
    assert told({"as": SECRET, "parts": [{"size": 1}, {"size": 0}], "more": SECRET}) == (
        "asked.name: missing; asked.as: one of day, hour; "
        "asked.parts[1].size: Expected `int` >= 1; asked.more: unknown field"
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"name": 5}, "asked.name: Expected `str`, got `int`"),
        ({"name": "a", "parts": [{"size": 1, "more": SECRET}]}, "asked.parts[0]: Object contains unknown field `more`"),
        ({"name": "a", "labels": {"long": SECRET}}, "asked.labels: Expected `str` of length <= 3"),
        ({"name": "a", "at": SECRET}, "asked.at: Invalid RFC3339 encoded datetime"),
        ({"name": "a", "at": "2026-01-01T00:00:00"}, "asked.at: Expected `datetime` with a timezone component"),
        (
            {"name": "a", "at": "9999-12-31T23:59:59-05:00"},
            "asked.at: an instant is between the years 1 and 9999 in UTC",
        ),
        ({"name": "a", "kinds": [SECRET]}, "asked.kinds[0]: none of the values it may have"),
        (
            {"name": "a", "status": SECRET},
            "asked.status: one of CANCELLED, COMPLETED, FAILED, PENDING, PROCESSING, RETRYING",
        ),
        ({"name": "a", "code": SECRET}, "asked.code: Expected `str` of the form that docs/protocol.md tells"),
        ({"name": "both", "at": "2026-01-01T00:00:00Z"}, "asked: either name or at"),
        ([SECRET], "asked: Expected `object`, got `array`"),
        (SECRET, "asked: Expected `object`, got `str`"),
        (None, "asked: Expected `object`, got `null`"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(value: Any, reason: str) -> None:
    assert told(value) == reason


def test_the_words_are_few_however_much_is_wrong() -> None:
    many = told({f"{n}{'x' * 10_000}": SECRET for n in range(100)})
    assert len(many.split("; ")) == MOST_TOLD
    assert len(many) < 1_000
    assert len(told({"name": "a", "parts": [{"size": 1, "y" * 10_000: 1}]})) < 1_000


def test_a_field_that_nobody_knows_is_passed_over_where_it_may_be_there() -> None:
    assert told({"more": 1}, Open) == "asked.name: missing"
