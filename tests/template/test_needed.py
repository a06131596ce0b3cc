"""A function is deployed with what it can lead to: nothing less runs in it, and little more is there."""

import ast
from pathlib import Path

import pytest

from local.needed import _parts, needed
from tests.template.template import FUNCTIONS, ROOT
from tests.template.witness import Witness

pytestmark = pytest.mark.xdist_group("witness")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_whatever_runs_in_a_function_is_deployed_with_it(witness: Witness, function: str) -> None:
    assert witness.modules[function]
    assert sorted(witness.modules[function] - needed(function).modules) == []


def test_actions_are_deployed_with_who_needs_them_alone() -> None:
    having = {name for name in FUNCTIONS if "actions.catalog" in needed(name).modules}
    assert having == {"Message", "Work", "Sweep"}
    assert not any(name.startswith("projections") for name in needed("Disconnect").modules)
    assert {name for name in FUNCTIONS if "jwt" in needed(name).others} == {"Authorize", "IssueTicket"}
    with pytest.raises(LookupError):
        needed("Nobody")


def test_a_module_that_is_no_python_is_told_by_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("def mine(:\n")
    monkeypatch.setattr("local.needed._file", lambda _: mine)
    with pytest.raises(SyntaxError) as refused:
        _parts.__wrapped__("actions.mine")
    assert refused.value.filename == str(mine)


@pytest.mark.parametrize("module", sorted((ROOT / "handlers").glob("*.py")), ids=lambda path: path.stem)
def test_parts_of_the_composition_root_are_named_where_they_are_used(module: Path) -> None:
    """What local.needed relies on: no handler hands the root on, or looks a part up by a name that it computes."""
    tree = ast.parse(module.read_text())
    bases = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    naming = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "bootstrap"]
    assert all(id(node) in bases for node in naming)
    renamed = [
        alias for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import) for alias in node.names
    ]
    assert not [alias for alias in renamed if alias.name.endswith("bootstrap") and alias.asname]
