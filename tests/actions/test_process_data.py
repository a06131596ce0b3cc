"""process_data as its user sees it: where rows come from, where they go, what is said on the way and of bad input."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from actions import table_text
from actions.outcomes import Permanent, Stopped
from actions.testing import MemoryFiles, Ran, RecordingProgress, run
from domain.errors import InvalidFrame

Process = Callable[..., Ran]
SUM_OF_N: dict[str, Any] = {"op": "aggregate", "measures": [{"function": "sum", "column": "n"}]}
LARGE = "n,text\n" + "".join(f"{n},{'x' * 20}\n" for n in range(2500))


def test_a_small_result_comes_inline(process: Process) -> None:
    ran = process("a,b\n1,2\n")
    assert ran.result == {"rows": 1, "columns": ["a", "b"], "content": "a,b\r\n1,2\r\n"}
    assert ran.files.contents == {}


def test_a_large_result_becomes_a_file_with_a_link(process: Process) -> None:
    ran = process(LARGE)
    assert ran.result == {
        "rows": 2500,
        "columns": ["n", "text"],
        "key": "results/1/result.csv",
        "link": "https://files.example/results/1/result.csv",
    }
    assert ran.files.contents["results/1/result.csv"] == LARGE.replace("\n", "\r\n").encode()
    assert ran.files.content_types["results/1/result.csv"] == "text/csv; charset=utf-8"


def test_a_csv_in_the_bucket_is_read_by_its_key_whatever_its_line_ends_and_byte_order_mark() -> None:
    files = MemoryFiles({"uploads/in.csv": "\ufeffa\r\né\r\n".encode()})
    ran = run("process_data", {"key": "uploads/in.csv", "output": "json"}, files=files)
    assert ran.result["content"] == [{"a": "é"}]


def test_json_has_calculated_numbers_as_numbers_and_cells_as_the_text_they_are(process: Process) -> None:
    step = {"op": "transform", "column": "n", "function": "add", "argument": "0.10", "into": "m"}
    ran = process("n\n007\n", step, output="json")
    assert ran.result["content"] == [{"n": "007", "m": Decimal("7.10")}]


def test_an_empty_table_is_an_empty_json_array(process: Process) -> None:
    assert process("a\n", output="json").result == {"rows": 0, "columns": ["a"], "content": []}


def test_text_that_a_spreadsheet_would_take_for_a_formula_goes_out_as_it_came_in(process: Process) -> None:
    assert process("a\n=1+1\n@x\n-2\n").result["content"] == "a\r\n=1+1\r\n@x\r\n-2\r\n"


def test_progress_is_told_every_thousand_rows_and_ends_with_what_was_made(process: Process) -> None:
    ran = process(LARGE, SUM_OF_N)
    assert ran.progress.messages == [
        "1,000 rows read, 0 made",
        "2,000 rows read, 0 made",
        "1 rows made of 2,500",
    ]
    assert ran.progress.percents == sorted(ran.progress.percents)
    assert 30 < ran.progress.percents[0] < 40
    assert ran.progress.percents[-1] == 100
    assert ran.progress.reports[1][1] == "2,000 rows read, 0 made"


def test_a_cancelled_request_stops_in_the_middle_and_leaves_no_file() -> None:
    files, progress = MemoryFiles(), RecordingProgress(stop_after=1)
    with pytest.raises(Stopped):
        run("process_data", {"csv": LARGE}, files=files, progress=progress)
    assert files.contents == {}


@pytest.mark.parametrize(
    ("csv", "told"),
    [
        ("", "The CSV has no header"),
        ("\n1\n", "The CSV has no header"),
        ("a,b,a\n", "Two columns are called 'a'"),
        ("n,b\n1,2\n3\n", "Row 2, column 'b': there is no such cell"),
        ("n,b\n1,2,3\n", "Row 1, column 'b': the row has 1 more"),
        ("n\n1\n\nmany\n", "Row 3, column 'n': not a number"),
        ("n\n1_000\n", "Row 1, column 'n': not a number"),
        ("n\n\u0661\n", "Row 1, column 'n': not a number"),
        ("n\nNaN\n", "Row 1, column 'n': not a number"),
        ("n\n1e38\n", "Row 1, column 'n': not a number"),
        ("n\n1e-39\n", "Row 1, column 'n': not a number"),
        ("n\n" + "9" * 38 + "\n1\n", "Row 1, column 'sum_n': the result has more than 38 digits"),
        ('n\n"1\n', "Line 2 is not valid CSV"),
        ('n\n"1"2\n', "Line 2 is not valid CSV"),
        ("m\n1\n", "There is no column 'n'; there are 'm'"),
    ],
)
def test_a_csv_that_cannot_be_processed_is_refused_for_good_and_says_where(csv: str, told: str) -> None:
    files = MemoryFiles({"in.csv": csv.encode()})
    with pytest.raises(Permanent) as refused:
        run("process_data", {"key": "in.csv", "operations": [SUM_OF_N]}, files=files)
    assert told in str(refused.value)


def test_a_message_names_the_place_of_a_bad_value_but_not_the_value(process: Process) -> None:
    with pytest.raises(Permanent) as refused:
        process("n\nmy secret\n", SUM_OF_N)
    assert "secret" not in str(refused.value)


def test_bytes_that_are_not_utf_8_are_refused_with_their_place() -> None:
    with pytest.raises(Permanent, match="not UTF-8 at byte 3"):
        run("process_data", {"key": "k"}, files=MemoryFiles({"k": b"a\nb\xff\n"}))


def test_a_missing_file_is_refused_for_good() -> None:
    with pytest.raises(Permanent):
        run("process_data", {"key": "nowhere"})


@pytest.mark.parametrize(
    ("limit", "value", "told"),
    [
        ("MAX_INPUT_BYTES", 10, "more than 10"),
        ("MAX_ROWS", 2, "more than 2 rows"),
        ("MAX_COLUMNS", 1, "more than 1"),
        ("MAX_OUTPUT_BYTES", 10, "more than 10 bytes"),
    ],
)
def test_more_than_a_worker_can_hold_is_refused(
    process: Process, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, told: str
) -> None:
    monkeypatch.setattr(table_text, limit, value)
    with pytest.raises(Permanent, match=told):
        process("a,b\n1,2\n3,4\n5,6\n")


@pytest.mark.parametrize(
    "payload", [{}, {"csv": "a\n", "key": "k"}, {"csv": 1}, {"csv": "a\n", "output": "xml"}, {"csv": "a\n", "more": 1}]
)
def test_a_payload_has_exactly_one_source_and_nothing_unknown(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidFrame):
        run("process_data", payload)
