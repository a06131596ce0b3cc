from collections.abc import Callable
from typing import Any

import pytest

from actions import registry
from actions.catalog import catalog
from actions.testing import Ran, run

Process = Callable[..., Ran]


@pytest.fixture
def process() -> Process:
    """Runs process_data on a CSV with some operations."""

    def process(csv: str, *operations: dict[str, Any], output: str = "csv") -> Ran:
        return run("process_data", {"csv": csv, "operations": list(operations), "output": output})

    return process


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it; what ships stays, whose modules register it only once in a process."""
    shipped = catalog()
    for name in shipped.names():
        shipped.get(name)
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))
