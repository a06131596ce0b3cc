"""JSON that keeps what it was given."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidJson
from domain.exact_json import FRAME_DIGITS, MAX_DEPTH, decode, encode, require_shallow
from tests.strategies import json_values


@given(json_values)
def test_every_value_survives_the_trip_through_text(value: Any) -> None:
    assert decode(encode(value)) == value
    assert decode(encode(value).encode()) == value


@given(json_values)
def test_another_reader_reads_the_same(value: Any) -> None:
    assert json.loads(encode(value), parse_float=Decimal) == value


@given(st.text() | st.binary())
def test_junk_is_invalid_and_nothing_worse(text: str | bytes) -> None:
    try:
        decode(text)
    except InvalidJson:
        return


@pytest.mark.parametrize(
    "text",
    [
        "9007199254740993",
        "0.1",
        "12345678901234567890123456789012345678",
        "0.12345678901234567890123456789012345678",
        "1E+400",
        "-1E-400",
        "1.10",
    ],
)
def test_a_number_keeps_every_digit(text: str) -> None:
    assert encode(decode(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        "01",
        "'a'",
        "NaN",
        "Infinity",
        "-Infinity",
        '{"a":NaN}',
        "1e9999999999999999999",
        "1e-9999999999999999999",
        "1" * 5000,
        "[" * 100_000,
        '{"a":' * 100_000,
        '"\\ud800"',
        '"\\uDC00\\ud800"',
        '{"\\uD800":1}',
        b"\xff",
        b'"\\ud800"',
    ],
)
def test_what_is_not_json_is_invalid(text: str | bytes) -> None:
    with pytest.raises(InvalidJson):
        decode(text)


def test_a_whole_pair_of_surrogates_is_a_character() -> None:
    assert decode('"\\ud83d\\ude00"') == "😀"


def test_text_with_the_letters_of_an_escape_is_text() -> None:
    assert decode('"\\\\ud800"') == "\\ud800"


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), {1, 2}, "\ud800", {"\ud800": 1}, b"\xff"]
)
def test_what_json_cannot_hold_is_not_written(value: Any) -> None:
    with pytest.raises(InvalidJson):
        encode(value)


def test_a_list_that_holds_itself_is_not_written() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidJson):
        encode(endless)


def test_text_is_as_short_as_it_can_be_and_sorted_when_asked() -> None:
    assert encode({"b": [1, None], "a": "é"}) == '{"b":[1,null],"a":"é"}'
    assert encode({"b": 1, "a": 2}, sort_keys=True) == '{"a":2,"b":1}'


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_the_depth_is_limited(opening: str, closing: str) -> None:
    def nested(depth: int) -> str:
        return opening * depth + "1" + closing * depth

    assert decode(nested(MAX_DEPTH))
    with pytest.raises(InvalidJson, match="nested deeper than 64"):
        decode(nested(MAX_DEPTH + 1))
    assert decode(nested(3), depth=3)
    with pytest.raises(InvalidJson):
        decode(nested(4), depth=3)


def test_a_tuple_counts_as_the_list_it_is_written_as() -> None:
    require_shallow(((1,),), 2)
    with pytest.raises(InvalidJson):
        require_shallow((((1,),),), 2)


@pytest.mark.parametrize(
    "text", ["1E+4301", "-1E-4301", "0E+999999999", "1E+999999999999", f"0.{'1' * 4300}", "1" * 4301]
)
def test_digits_are_limited_where_a_limit_is_given(text: str) -> None:
    with pytest.raises(InvalidJson):
        decode(text, digits=FRAME_DIGITS)


@pytest.mark.parametrize("text", ["1E+4300", "-1E-4300", f"0.{'1' * 4298}", "1" * 4300])
def test_a_number_within_the_limit_keeps_every_digit(text: str) -> None:
    assert encode(decode(text, digits=FRAME_DIGITS)) == text
