from collections.abc import Iterator

import pytest

from tests.template.scenario import witnessed
from tests.template.witness import Witness


@pytest.fixture(scope="session")
def witness() -> Iterator[Witness]:
    """Who asked AWS for what and told which figures, when everything had happened once."""
    with witnessed() as seen:
        yield seen
