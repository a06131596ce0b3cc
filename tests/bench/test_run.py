"""A run of the bench: what it keeps, what it prints, and that nothing that failed is told as met."""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from bench import __main__ as bench
from bench import told
from bench.results import Row
from local.errors import NotInstalled

GOOD: Final = Row("good", 2.0, 1.0, "us", "ratio >= 2")
BAD: Final = Row("bad", 1.0, 1.0, "us", "ratio >= 2", "the emulator")
Benches = Mapping[str, Callable[[], list[Row]]]


def cannot() -> list[Row]:
    raise NotInstalled("DynamoDB Local needs java")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """results.json and the page, of the test's own."""
    results, page = tmp_path / "results.json", tmp_path / "page.md"
    page.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    monkeypatch.setattr(told, "RESULTS", results)
    monkeypatch.setattr(told, "PAGE", page)
    monkeypatch.setattr(told, "HERE", tmp_path)
    return results, page


def benches(monkeypatch: pytest.MonkeyPatch, benches: Benches) -> None:
    monkeypatch.setattr(bench, "BENCHES", benches)


def test_a_whole_run_is_kept_and_told_on_its_page(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    results, page = files
    benches(monkeypatch, {"one": lambda: [GOOD], "two": lambda: [BAD]})
    assert bench.main([]) == 1
    kept = json.loads(results.read_text())
    assert [(row["name"], row["met"], row.get("why")) for row in kept] == [
        ("good", True, None),
        ("bad", False, "the emulator"),
    ]
    assert page.read_text() == f"before\n<!-- bench -->\n{told.table(kept)}<!-- /bench -->\nafter\n"


def test_a_run_of_some_leaves_the_files_as_they_are(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    results, page = files
    before = page.read_text()
    benches(monkeypatch, {"one": lambda: [GOOD], "two": cannot})
    assert bench.main(["one"]) == 0
    assert page.read_text() == before
    assert not results.exists()


def test_what_could_not_run_is_a_row_that_says_why_and_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    benches(monkeypatch, {"one": cannot, "two": lambda: [GOOD]})
    failed, measured = bench.run(["one", "two"], Console(file=io.StringIO()))
    assert (failed.name, failed.met) == ("one", False)
    assert "needs java" in failed.why
    assert measured == GOOD


def test_a_missed_target_without_a_reason_is_noticed() -> None:
    out = io.StringIO()
    bench.show([Row("bad", 1.0, 1.0, "us", "ratio >= 2"), BAD, GOOD], {}, Console(file=out, width=200))
    told_of = [line.strip() for line in out.getvalue().splitlines() if line.startswith("  bad")]
    assert told_of == ["bad: missed, and the bench does not say why", "bad: the emulator"]


def test_every_bench_is_one_that_can_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["nothing"])
    assert "no such bench: nothing" in capsys.readouterr().err
