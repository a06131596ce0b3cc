"""What the pages show of the bench is what results.json holds, and pictures can be read."""

import json
import re
from typing import Any, Final

import pytest

from bench.chart import Chart, Line, nice
from bench.told import HERE, PAGE, RESULTS, pictures, table

KEPT: Final[list[dict[str, Any]]] = json.loads(RESULTS.read_text())
ROW: Final = {
    "name": "r",
    "ours": 1234.5,
    "peer": 2.0,
    "ratio": 0.61,
    "unit": "us",
    "target": "ratio <= 1",
    "met": True,
}


def points(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle class="\w+" cx="([\d.]+)" cy="([\d.]+)"', svg)]


def test_the_page_has_the_table_that_is_made_of_the_results() -> None:
    assert f"<!-- bench -->\n{table(KEPT)}<!-- /bench -->" in PAGE.read_text()


def test_the_pictures_are_drawn_from_the_results_and_the_page_shows_each() -> None:
    drawn = pictures(KEPT)
    assert drawn == {file.name: file.read_text() for file in HERE.glob("*.svg")}
    for name in drawn:
        assert f"](../bench/{name})" in PAGE.read_text()


def test_a_row_tells_its_figures_and_a_missed_one_its_reason() -> None:
    missed = {**ROW, "name": "s", "met": False, "why": "the emulator"}
    unmeasured = {**ROW, "name": "t", "ours": None, "ratio": None, "met": False, "why": "the emulator"}
    assert table([ROW, missed, unmeasured]).splitlines()[2:] == [
        "| r, us | 1,234 | 2 | 0.61 | ratio <= 1 | met |",
        "| s, us | 1,234 | 2 | 0.61 | ratio <= 1 | **missed** |",
        "| t, us |  | 2 |  | ratio <= 1 | not measured |",
        "",
        "- s; t: the emulator.",
    ]


def test_nothing_is_drawn_of_what_was_not_measured() -> None:
    assert pictures([ROW]) == {}


def test_a_line_goes_up_where_costs_do_and_stays_between_the_axes() -> None:
    svg = Chart("Costs", "us", "sizes", [Line("up", [(1, 10.0), (10, 20.0), (100, 15.0)])], limit=1.15).svg()
    (x1, y1), (x2, y2), (x3, y3) = points(svg)
    assert x1 < x2 < x3
    assert y2 < y3 < y1
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert 'class="limit"' in svg


def test_what_is_in_proportion_is_a_straight_line() -> None:
    svg = Chart("Costs", "us", "sizes", [Line("in step", [(1, 3.0), (10, 30.0), (100, 300.0)])], tenfold=True).svg()
    (_, y1), (_, y2), (_, y3) = points(svg)
    assert y1 - y2 == pytest.approx(y2 - y3, abs=0.2)
    assert 'class="ideal"' in svg


def test_names_of_lines_that_end_together_do_not_cover_each_other() -> None:
    lines = [Line("one", [(1, 10.0), (10, 10.0)]), Line("other", [(1, 10.0), (10, 10.1)])]
    svg = Chart("Costs", "us", "sizes", lines).svg()
    heights = [float(y) for y in re.findall(r'<text class="(?:one|two)" x="[\d.]+" y="([\d.]+)"', svg)]
    assert abs(heights[0] - heights[1]) >= 18


@pytest.mark.parametrize(("step", "tick"), [(0.7, 1), (1.0, 1), (1.1, 2), (3, 5), (60, 100), (0.03, 0.05)])
def test_ticks_are_round(step: float, tick: float) -> None:
    assert nice(step) == pytest.approx(tick)
