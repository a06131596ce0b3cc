import pytest

from tests.template.scenario import witnessed
from tests.template.witness import Witness


@pytest.fixture(scope="session")
def witness() -> Witness:
    """Who asked AWS for what and told which figures, when everything had happened once."""
    return witnessed()
