"""The threat model names tests that exist."""

import ast
import re
from itertools import chain

import pytest

from local.template import PROJECT

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


def test_every_threat_says_what_stops_it() -> None:
    threats = [row.split("|")[1:4] for row in PAGE.splitlines() if row.startswith("|")][2:]
    assert len(threats) > 15
    assert [threat for threat, stops, _ in threats if not stops.strip() or not threat.strip()] == []
    assert [threat for threat, stops, shown in threats if "`test_" not in shown and "`make " not in stops] == []
