"""What each operation of process_data makes of a table."""

from collections.abc import Callable
from typing import Any

import pytest

from actions.outcomes import Permanent
from actions.testing import Ran
from domain.errors import InvalidFrame

Process = Callable[..., Ran]
PEOPLE = "name,city,age\nAda,London,36\nAlan,Wilmslow,41\nGrace,New York,85\nKurt,Princeton,\n"


def names(ran: Ran) -> list[str]:
    return [line.split(",")[0] for line in ran.result["content"].splitlines()[1:]]


@pytest.mark.parametrize(
    ("comparison", "value", "kept"),
    [
        ("eq", 41, ["Alan"]),
        ("ne", 41, ["Ada", "Grace", "Kurt"]),
        ("lt", 41, ["Ada"]),
        ("le", 41, ["Ada", "Alan"]),
        ("gt", 41, ["Grace"]),
        ("ge", 41, ["Alan", "Grace"]),
        ("gt", "4", ["Alan", "Grace"]),
        ("lt", "36", ["Kurt"]),
        ("contains", "5", ["Grace"]),
    ],
)
def test_a_filter_compares_with_a_number_as_numbers_and_with_a_text_as_texts(
    process: Process, comparison: str, value: Any, kept: list[str]
) -> None:
    ran = process(PEOPLE, {"op": "filter", "column": "age", "comparison": comparison, "value": value})
    assert names(ran) == kept


def test_nine_is_less_than_ten_and_one_equals_one_point_zero(process: Process) -> None:
    table = "n\n9\n10\n10.0\n1e1\n"
    assert process(table, {"op": "filter", "column": "n", "comparison": "lt", "value": 10}).result["rows"] == 1
    assert process(table, {"op": "filter", "column": "n", "comparison": "eq", "value": 10}).result["rows"] == 3


@pytest.mark.parametrize(
    ("function", "argument", "before", "after"),
    [
        ("upper", None, "straße", "STRASSE"),
        ("lower", None, "ÀB", "àb"),
        ("trim", None, " a b ", "a b"),
        ("add", "0.2", "0.1", "0.3"),
        ("add", -7, "7", "0"),
        ("multiply", "1.1", "1.1", "1.21"),
        ("round", 2, "2.675", "2.68"),
        ("round", None, "-0.5", "-1"),
        ("round", 2, "7", "7.00"),
        ("multiply", -1, "0", "0"),
        ("multiply", "0.1", "1e-38", "0." + "0" * 38),
        ("add", 1, "", ""),
    ],
)
def test_a_transform_calculates_the_cell(
    process: Process, function: str, argument: Any, before: str, after: str
) -> None:
    step = {"op": "transform", "column": "x", "function": function}
    step |= {} if argument is None else {"argument": argument}
    ran = process(f'x,y\n"{before}",1\n', step)
    assert ran.result["content"] == f"x,y\r\n{after},1\r\n"


def test_a_transform_puts_its_result_into_a_new_column_or_over_an_old_one(process: Process) -> None:
    step = {"op": "transform", "column": "a", "function": "add", "argument": 1}
    assert process("a,b\n1,x\n", step | {"into": "c"}).result["content"] == "a,b,c\r\n1,x,2\r\n"
    assert process("a,b\n1,x\n", step | {"into": "b"}).result["content"] == "a,b\r\n1,2\r\n"


def test_a_renamed_column_is_known_by_its_new_name_alone(process: Process) -> None:
    rename = {"op": "transform", "column": "a", "function": "rename", "into": "c"}
    assert process("a,b\n1,2\n", rename, {"op": "sort", "by": ["c"]}).result["columns"] == ["c", "b"]
    with pytest.raises(Permanent, match="There is no column 'a'; there are 'c', 'b'"):
        process("a,b\n1,2\n", rename, {"op": "sort", "by": ["a"]})
    with pytest.raises(Permanent, match="There is a column 'b' already"):
        process("a,b\n1,2\n", rename | {"into": "b"})


def test_an_aggregate_measures_each_group_in_order_of_appearance(process: Process) -> None:
    ran = process(
        "city,n\nRome,1\nOslo,2.5\nRome,4\nOslo,\n",
        {
            "op": "aggregate",
            "by": ["city"],
            "measures": [
                {"function": "count", "as": "rows"},
                {"function": "count", "column": "n"},
                {"function": "sum", "column": "n", "as": "total"},
                {"function": "mean", "column": "n"},
                {"function": "min", "column": "n"},
                {"function": "max", "column": "n"},
            ],
        },
    )
    assert ran.result["content"].splitlines() == [
        "city,rows,count_n,total,mean_n,min_n,max_n",
        "Rome,2,2,5,2.5,1,4",
        "Oslo,2,1,2.5,2.5,2.5,2.5",
    ]


def test_an_aggregate_of_no_rows_is_one_row_without_groups_and_none_with_them(process: Process) -> None:
    measures = [{"function": "sum", "column": "n"}, {"function": "mean", "column": "n"}]
    whole = process("g,n\n", {"op": "aggregate", "measures": measures})
    grouped = process("g,n\n", {"op": "aggregate", "by": ["g"], "measures": measures})
    assert whole.result["content"].splitlines()[1:] == ["0,"]
    assert grouped.result["rows"] == 0


def test_a_sort_puts_numbers_before_texts_before_empty_cells(process: Process) -> None:
    ran = process("n,i\nb,1\n10,2\n,3\n9,4\na,5\n", {"op": "sort", "by": ["n"]})
    assert names(ran) == ["9", "10", "a", "b", ""]


def test_a_sort_keeps_the_order_of_equal_rows_also_when_it_descends(process: Process) -> None:
    table = "k,i\n1,first\n2,x\n1.0,second\n"
    assert process(table, {"op": "sort", "by": ["k"]}).result["content"].splitlines()[1:] == [
        "1,first",
        "1.0,second",
        "2,x",
    ]
    assert process(table, {"op": "sort", "by": ["k"], "descending": True}).result["content"].splitlines()[1:] == [
        "2,x",
        "1,first",
        "1.0,second",
    ]


def test_deduplicate_keeps_the_first_of_its_kind(process: Process) -> None:
    table = "a,b\n1,x\n1,y\n1,x\n"
    assert process(table, {"op": "deduplicate"}).result["content"].splitlines()[1:] == ["1,x", "1,y"]
    assert process(table, {"op": "deduplicate", "by": ["a"]}).result["content"].splitlines()[1:] == ["1,x"]


def test_operations_follow_each_other(process: Process) -> None:
    ran = process(
        PEOPLE,
        {"op": "filter", "column": "age", "comparison": "ge", "value": 0},
        {"op": "transform", "column": "age", "function": "multiply", "argument": 2, "into": "twice"},
        {"op": "sort", "by": ["twice"], "descending": True},
        output="json",
    )
    assert [(row["name"], row["twice"]) for row in ran.result["content"]] == [("Grace", 170), ("Alan", 82), ("Ada", 72)]


@pytest.mark.parametrize(
    ("step", "field"),
    [
        ({"op": "explode"}, "payload.operations.0"),
        ({"op": "sort", "by": []}, "payload.operations.0.sort.by"),
        ({"op": "sort", "by": ["a"], "x": 1}, "payload.operations.0.sort.x"),
        ({"op": "filter", "column": "a", "comparison": "like", "value": "x"}, "filter.comparison"),
        ({"op": "filter", "column": "a", "comparison": "contains", "value": 1}, "contains needs a text"),
        ({"op": "filter", "column": "a", "comparison": "eq", "value": True}, "filter.value"),
        ({"op": "transform", "column": "a", "function": "add"}, "add needs an argument"),
        ({"op": "transform", "column": "a", "function": "upper", "argument": 1}, "upper takes no argument"),
        ({"op": "transform", "column": "a", "function": "round", "argument": 39}, "round takes a whole number"),
        ({"op": "transform", "column": "a", "function": "round", "argument": "0.5"}, "round takes a whole number"),
        ({"op": "transform", "column": "a", "function": "rename"}, "rename needs the new name"),
        ({"op": "transform", "column": "a", "function": "add", "argument": "1e999999"}, "at most 38 digits"),
        ({"op": "aggregate", "measures": []}, "aggregate.measures"),
        ({"op": "aggregate", "measures": [{"function": "sum"}]}, "sum needs a column"),
        ({"op": "aggregate", "by": ["a"], "measures": [{"function": "count", "as": "a"}]}, "the same name"),
    ],
)
def test_an_operation_that_makes_no_sense_is_refused_before_anything_is_stored(
    process: Process, step: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidFrame) as refused:
        process("a\n1\n", step)
    assert field in refused.value.told
