"""The threat model names tests that exist."""

import ast
import re
from itertools import chain

import pytest

from local.template import PROJECT
from tests.security.fuzz import BEGIN, END, GROWTH_MB, KEPT

PAGE = (PROJECT / "docs" / "threat-model.md").read_text()
NAMED = sorted(set(re.findall(r"`(test_[a-z0-9_]+)`", PAGE)))
EXISTING = {
    node.name
    for node in chain.from_iterable(
        ast.walk(ast.parse(file.read_text())) for file in PROJECT.glob("tests/**/test_*.py")
    )
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
}


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_stops_a_threat_exists(name: str) -> None:
    assert name in EXISTING


def test_the_page_has_the_figures_of_a_run_of_the_fuzzer_in_which_nothing_was_wrong() -> None:
    told = PAGE.partition(BEGIN)[2].partition(END)[0].strip()
    found = re.fullmatch(
        r"(\d+) inputs \(frame \d+ · token \d+ · record \d+ · row \d+\) of seed \d+ · 0 wrong"
        r" · peak memory \d+ MB, (-?\d+) MB above warm",
        told,
    )
    assert found
    assert int(found[1]) >= KEPT
    assert int(found[2]) < GROWTH_MB


def test_every_threat_says_what_stops_it() -> None:
    threats = [row.split("|")[1:4] for row in PAGE.splitlines() if row.startswith("|")][2:]
    assert len(threats) > 15
    assert [threat for threat, stops, _ in threats if not stops.strip() or not threat.strip()] == []
    assert [threat for threat, stops, shown in threats if "`test_" not in shown and "`make " not in stops] == []
