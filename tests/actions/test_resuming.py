"""An attempt goes on where the last one was: what that one had done is not done again."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from actions import process_data, table_saved
from actions.doubles import MemoryFiles, MemoryViews, RecordingProgress
from actions.outcomes import Permanent, TakenOver
from actions.table import Row, Table, text_of
from actions.table_steps import Deduplicate, Filter, Sort
from actions.table_transform import Transform
from actions.testing import run, run_until_done

OPERATIONS: list[dict[str, Any]] = [
    {"op": "transform", "column": "n", "function": "multiply", "argument": "0.10", "into": "tenth"},
    {"op": "filter", "column": "n", "comparison": "ge", "value": 2},
    {"op": "sort", "by": ["tenth"], "descending": True},
    {"op": "deduplicate", "by": ["text"]},
]
CSV = "n,text\n" + "".join(f"{n},{'x' * (n % 7)}\n" for n in range(3000))
ASKED = {"key": "in.csv", "operations": OPERATIONS, "output": "json"}


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many rows each operation was given, all attempts together."""
    counted: Counter[str] = Counter()

    def counting(kind: type[Any]) -> None:
        real = kind.apply

        def apply(self: Any, table: Table) -> Table:
            def rows() -> Iterator[Any]:
                for row in table.rows:
                    counted[self.op] += 1
                    yield row

            return real(self, Table(table.columns, rows()))  # type: ignore[no-any-return]

        monkeypatch.setattr(kind, "apply", apply)

    for kind in (Filter, Sort, Deduplicate, Transform):
        counting(kind)
    return counted


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_data, "SAVED_FROM_BYTES", 1)


def files() -> MemoryFiles:
    return MemoryFiles({"in.csv": CSV.encode()})


@pytest.mark.usefixtures("small_is_large")
def test_operations_that_an_attempt_had_done_are_not_done_again(applied: Counter[str]) -> None:
    whole = run_until_done("process_data", ASKED, files=files())
    once, whole_reads = Counter(applied), whole.files.reads
    assert whole_reads == ["in.csv"]
    assert once["transform"] == once["filter"] == 3000
    applied.clear()
    tellings = [len(one.reports) + len(one.checkpoints) for one in whole.progress]
    lost = RecordingProgress(stop_after=tellings[0] - 2, why=TakenOver)
    lived = run_until_done("process_data", ASKED, files=files(), progress={1: lost})
    assert (lived.status, lived.attempts, lived.result) == ("COMPLETED", 2, whole.result)
    assert len(lost.checkpoints) == 3
    # All but the last operation were done by the attempt that was lost, and none of them again.
    assert {name: applied[name] for name in ("transform", "filter", "sort")} == {
        name: once[name] for name in ("transform", "filter", "sort")
    }
    assert lived.files.reads == ["in.csv", "results/1/after-3.jsonl"]
    assert lived.progress[1].messages[-1].endswith("of 3,000")


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("stop_after", range(1, 20))
def test_wherever_a_worker_is_lost_the_result_is_the_same(stop_after: int) -> None:
    expected = run("process_data", ASKED, files=files()).result
    lost = RecordingProgress(stop_after=stop_after, why=TakenOver)
    lived = run_until_done("process_data", ASKED, files=files(), progress={1: lost})
    assert lived.result == expected
    percents = [one.percents for one in lived.progress]
    assert percents == [sorted(one) for one in percents]


def test_a_result_is_the_same_whether_tables_were_saved_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    straight = run("process_data", ASKED, files=files())
    assert [*straight.files.contents] == ["in.csv"]
    monkeypatch.setattr(process_data, "SAVED_FROM_BYTES", 1)
    in_parts = run("process_data", ASKED, files=files())
    assert in_parts.result == straight.result
    assert len(in_parts.files.contents) == 4
    monkeypatch.setattr(table_saved, "MAX_SAVED_BYTES", 1000)
    too_large = run("process_data", ASKED, files=files())
    assert too_large.result == straight.result
    assert len(too_large.files.contents) < 4


@pytest.mark.usefixtures("small_is_large")
def test_a_column_that_is_not_there_is_told_before_a_row_is_read(applied: Counter[str]) -> None:
    misspelt = {**ASKED, "operations": [*OPERATIONS, {"op": "sort", "by": ["none"]}]}
    with pytest.raises(Permanent, match="none"):
        run("process_data", misspelt, files=files())
    assert not applied


def test_a_saved_table_keeps_texts_numbers_and_the_numbers_of_its_rows() -> None:
    kept: list[bytes] = []
    cells = ("007", Decimal("7.10"), Decimal(5), "", "é\u2028\n", Decimal("0.000000001"))
    columns = tuple("abcdef")
    row = Row(41, cells)

    def seen(share: float) -> None:
        assert share == 1

    table = table_saved.saved(Table(columns, [row]), kept.append, seen)
    for read in (table, table_saved.read_saved(kept[0], seen)):
        assert read.columns == columns
        (again,) = read.rows
        assert again == row
        assert [text_of(cell) for cell in again.cells] == [text_of(cell) for cell in cells]
        assert [type(cell) for cell in again.cells] == [type(cell) for cell in cells]


PERIOD = {"start": "2026-11-20T00:00:00Z", "end": "2026-11-23T00:00:00Z"}
METRICS = [{"at": f"2026-11-20T{h:02}:{m:02}:00.000Z", "submitted": 1} for h in range(24) for m in range(60)]
ENTRIES = [
    {"at": f"2026-11-{day}T08:{n // 60:02}:{n % 60:02}.000Z", "type": "RequestSubmitted", "action": "echo"}
    for day in (20, 21, 22)
    for n in range(1500)
]


class CountedViews(MemoryViews):
    """Counts what is read of it."""

    def __init__(self) -> None:
        super().__init__(METRICS, ENTRIES)
        self.read: Counter[str] = Counter()

    def metrics(self, start: Any, end: Any) -> Iterator[Any]:
        """The rows, counted."""
        for row in super().metrics(start, end):
            self.read["metrics"] += 1
            yield row

    def audit(self, day: Any) -> Iterator[Any]:
        """The entries, counted."""
        for entry in super().audit(day):
            self.read[f"audit {day.day}"] += 1
            yield entry


def test_what_a_report_had_read_is_not_read_again() -> None:
    views = CountedViews()
    whole = run_until_done("generate_report", PERIOD, views=views)
    assert whole.status == "COMPLETED"
    once = Counter(views.read)
    views.read.clear()
    tellings = [len(one.reports) + len(one.checkpoints) for one in whole.progress]
    lost = RecordingProgress(stop_after=tellings[0] - 2, why=TakenOver)
    lived = run_until_done("generate_report", PERIOD, views=views, progress={1: lost})
    assert (lived.attempts, lived.result["totals"]) == (2, whole.result["totals"])
    assert views.read == once
    html = [one.files.contents[one.result["html"]["key"]].decode() for one in (whole, lived)]
    # Apart from the instant it was made at, which is told at the end.
    assert html[0].rsplit("<time", 1)[0] == html[1].rsplit("<time", 1)[0]


@pytest.mark.parametrize("stop_after", range(1, 16))
def test_wherever_a_report_is_lost_it_tells_the_same(stop_after: int) -> None:
    expected = run("generate_report", PERIOD, views=CountedViews())
    lost = RecordingProgress(stop_after=stop_after, why=TakenOver)
    lived = run_until_done("generate_report", PERIOD, views=CountedViews(), progress={1: lost})
    assert lived.result["totals"] == expected.result["totals"]
    assert lived.files.contents[lived.result["csv"]["key"]] == expected.files.contents[expected.result["csv"]["key"]]


def test_the_checkpoints_of_the_actions_that_ship_fit_however_long_the_names_of_tenant_and_user_are() -> None:
    folder = f"{'t' * 128}/{'u' * 128}/019a8f2e-5b6c-7d8e-9f01-23456789abcd/20/"
    progress = RecordingProgress()
    progress.checkpoint(process_data._Checkpoint(done=20, rows=500_000, key=f"{folder}after-20.jsonl").model_dump())
    progress.checkpoint(f"{folder}read-31.json")
