import re
from pathlib import Path

from domain.diagram import diagram
from domain.request import TRANSITIONS
from domain.state import FINAL

README = Path(__file__).parents[2] / "README.md"


def test_the_diagram_in_the_readme_is_drawn_from_the_table() -> None:
    shown = re.search(r"<!-- transitions -->\n(.*?)\n?<!-- /transitions -->", README.read_text(), re.DOTALL)
    assert shown, "README.md has no <!-- transitions --> … <!-- /transitions -->"
    assert shown[1].strip() == f"```mermaid\n{diagram()}\n```"


def test_the_diagram_has_each_move_once() -> None:
    kind, *lines = diagram().splitlines()
    moves = {f"    {row.status or '[*]'} --> {row.next}: {row.event.__name__}" for row in TRANSITIONS}
    ends = {f"    {status} --> [*]" for status in FINAL}
    assert kind == "stateDiagram-v2"
    assert len(lines) == len(set(lines))
    assert set(lines) == moves | ends
