"""docs/actions.md does what it says: its examples are run, and its figures are those of the code."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

from actions.limits import CHECKPOINT_LIMIT, CHUNK_LIMIT, DETAILS_LIMIT, MESSAGE_LIMIT
from actions.registry import LONGEST_SYNC
from domain.protocol import MAX_BATCH

GUIDE: Final = (Path(__file__).parents[2] / "docs" / "actions.md").read_text()
EXAMPLES: Final = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
TESTS: Final = re.findall(r"^def (test_\w+)", "\n".join(EXAMPLES), re.MULTILINE)


@pytest.fixture
def guide(own_registry: None) -> dict[str, Any]:  # noqa: ARG001 - the examples register actions
    """The guide's examples as one module."""
    module = ModuleType("guide")
    for number, example in enumerate(EXAMPLES):
        exec(compile(example, f"docs/actions.md, example {number + 1}", "exec"), vars(module))  # noqa: S102 - our own page
    return vars(module)


@pytest.mark.parametrize("name", TESTS)
def test_an_example_of_the_guide_holds(guide: dict[str, Any], name: str) -> None:
    guide[name]()


def test_the_guide_has_examples_of_each_kind() -> None:
    assert len(TESTS) > 5
    used = {word for example in EXAMPLES for word in re.findall(r"\w+", example)}
    assert {"Cancelled", "Permanent", "Retry", "TakenOver", "checkpoint", "output", "deadline", "give_up_on"} <= used


@pytest.mark.parametrize(
    "figure",
    [
        f"up to {CHECKPOINT_LIMIT} bytes of JSON",
        f"up to {CHUNK_LIMIT // 1024} KiB of JSON",
        f"at most {DETAILS_LIMIT} bytes of JSON",
        f"cut at {MESSAGE_LIMIT} characters",
        f"up to {MAX_BATCH} submissions",
        f"a deadline of up to {LONGEST_SYNC.seconds};",
    ],
)
def test_the_guides_figures_are_those_of_the_code(figure: str) -> None:
    assert figure in " ".join(GUIDE.split())
