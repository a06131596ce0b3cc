"""What holds for every table, by Hypothesis."""

import csv
import io
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actions.exact_numbers import parse_number
from actions.testing import run

# Line ends, quotes, commas, a NUL and whatever else Unicode has.
TEXTS = st.text(st.one_of(st.sampled_from(list('",\r\n =é\x00\ufeff')), st.characters(codec="utf-8")), max_size=8)
NUMBERS = st.decimals(-(10**30), 10**30, allow_nan=False, allow_infinity=False, places=8)
SMALL = st.sampled_from(["", "1", "1.0", "2", "10", "a", "b", "B", "9"])


def as_csv(columns: list[str], rows: list[tuple[Any, ...]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([columns, *rows])
    return text.getvalue()


def processed(columns: list[str], rows: list[tuple[Any, ...]], *operations: dict[str, Any]) -> list[tuple[str, ...]]:
    result = run("process_data", {"csv": as_csv(columns, rows), "operations": list(operations)})
    content = result.result.get("content") or result.files.contents["results/1/result.csv"].decode()
    return [tuple(row) for row in csv.reader(io.StringIO(content, newline=""))][1:]


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=20))
def test_every_text_survives_the_trip_through_csv(rows: list[tuple[str, str]]) -> None:
    assert processed(["a", "b"], rows) == rows


@given(st.lists(st.tuples(TEXTS), max_size=20))
def test_every_text_survives_the_trip_through_csv_to_json(rows: list[tuple[str]]) -> None:
    result = run("process_data", {"csv": as_csv(["a"], rows), "output": "json"}).result
    assert [(row["a"],) for row in result["content"]] == rows


@given(st.lists(st.tuples(SMALL, SMALL), max_size=30), st.booleans())
def test_a_sorted_table_has_the_same_rows_in_order(rows: list[tuple[str, str]], descending: bool) -> None:  # noqa: FBT001
    def rank(row: tuple[str, ...]) -> tuple[int, Fraction, str]:
        if not row[0]:
            return 2, Fraction(0), ""
        return (1, Fraction(0), row[0]) if row[0].isalpha() else (0, Fraction(row[0]), "")

    ordered = processed(["a", "b"], rows, {"op": "sort", "by": ["a"], "descending": descending})
    ranks = [rank(row) for row in ordered]
    assert Counter(ordered) == Counter(rows)
    assert ranks == sorted(ranks, reverse=descending)


@given(st.lists(st.tuples(SMALL, SMALL), max_size=30))
def test_deduplicating_leaves_one_of_each_and_a_second_time_changes_nothing(rows: list[tuple[str, str]]) -> None:
    once = processed(["a", "b"], rows, {"op": "deduplicate"})
    assert once == list(dict.fromkeys(rows))
    assert processed(["a", "b"], rows, {"op": "deduplicate"}, {"op": "deduplicate"}) == once


@given(st.lists(st.tuples(st.sampled_from("xyz"), NUMBERS), max_size=30))
def test_the_sums_of_the_groups_are_exactly_the_total(rows: list[tuple[str, Decimal]]) -> None:
    summed = {"op": "aggregate", "by": ["k"], "measures": [{"function": "sum", "column": "n", "as": "s"}]}
    groups = processed(["k", "n"], rows, summed)
    assert {key for key, _ in groups} == {key for key, _ in rows}
    assert sum(Fraction(total) for _, total in groups) == sum(Fraction(number) for _, number in rows)


@given(st.lists(st.tuples(NUMBERS), min_size=1, max_size=30))
def test_a_mean_lies_between_the_least_and_the_most_and_is_the_sum_by_the_count(rows: list[tuple[Decimal]]) -> None:
    functions = ("min", "mean", "max", "sum", "count")
    measures = [{"function": function, "column": "n"} for function in functions]
    [cells] = processed(["n"], rows, {"op": "aggregate", "measures": measures})
    least, mean, most, total, count = map(Fraction, cells)
    assert (least, most, count) == (*(Fraction(pick(rows)[0]) for pick in (min, max)), len(rows))
    assert least <= mean <= most
    assert abs(mean - total / count) <= Fraction(1, 10**38)


@given(st.lists(st.tuples(st.integers(-99, 99)), max_size=30), st.integers(-99, 99))
def test_a_filter_and_its_opposite_part_the_rows(rows: list[tuple[int]], value: int) -> None:
    less = {"op": "filter", "column": "n", "comparison": "lt", "value": value}
    kept = processed(["n"], rows, less)
    others = processed(["n"], rows, less | {"comparison": "ge"})
    assert [int(n) for (n,) in kept] == [n for (n,) in rows if n < value]
    assert Counter(kept + others) == Counter((str(n),) for (n,) in rows)


@given(st.integers(10**37, 10**38 - 2), st.integers(0, 38), st.sampled_from("+- "))
def test_numbers_keep_38_digits_wherever_the_point_is(digits: int, decimals: int, sign: str) -> None:
    text = str(digits)
    number = f"{sign}{text[: 38 - decimals] or '0'}.{text[38 - decimals :]}"
    least = Decimal(1).scaleb(-decimals)
    step = {"op": "transform", "column": "n", "function": "add", "argument": format(least, "f")}
    back = step | {"argument": format(-least, "f")}
    [(calculated,)] = processed(["n"], [(number,)], step, back)
    assert Fraction(calculated) == Fraction(number.strip().rstrip("."))


@given(st.text(max_size=12) | st.from_regex(r"[+-]?[0-9.]{0,6}(e[+-]?[0-9]{1,3})?", fullmatch=True))
def test_what_is_taken_for_a_number_is_one_of_bounded_length(text: str) -> None:
    number = parse_number(text)
    if number is not None:
        assert number == Decimal(text.strip())
        assert len(format(number, "f")) <= 38 + 38 + 3


@given(st.lists(st.tuples(SMALL, SMALL), max_size=20), st.sampled_from(["csv", "json"]))
def test_the_same_input_gives_the_same_bytes(rows: list[tuple[str, str]], output: str) -> None:
    operations = [{"op": "aggregate", "by": ["a", "b"], "measures": [{"function": "count"}]}]
    payload = {"csv": as_csv(["a", "b"], rows), "operations": operations, "output": output}
    assert run("process_data", payload).result == run("process_data", payload).result
