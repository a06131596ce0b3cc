import os
from collections import Counter

import pytest
from hypothesis import settings

DEFAULT_BACKENDS = "memory,moto,simulated,ministack"

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
pytest.register_assert_rewrite("tests.spec")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the contracts run: memory, moto, simulated, ministack, dynamodb-local."""
    parser.addoption("--backends", dest="backends", default=DEFAULT_BACKENDS, help="what the contracts run on")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many contract cases held on each backend."""
    passed = terminalreporter.stats.get("passed", [])
    held = Counter(value for report in passed for key, value in report.user_properties if key == "backend")
    if held:
        told = " · ".join(f"{backend} {count}" for backend, count in sorted(held.items()))
        terminalreporter.write_sep("-", f"contract cases that held: {told}")
