from collections.abc import Callable
from typing import Any

import pytest

from actions.testing import Ran, run

Process = Callable[..., Ran]


@pytest.fixture
def process() -> Process:
    """Runs process_data on a CSV with some operations."""

    def process(csv: str, *operations: dict[str, Any], output: str = "csv") -> Ran:
        return run("process_data", {"csv": csv, "operations": list(operations), "output": output})

    return process
