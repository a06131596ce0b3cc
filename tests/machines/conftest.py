"""The machines run on moto, and on DynamoDB Local where `--backends` names it."""

from collections.abc import Iterator

import pytest

from local import dynamodb_local
from tests.contracts.backends import DYNAMODB_LOCAL
from tests.kit.tables import Aws, on_moto


@pytest.fixture(scope="session")
def dynamodb_at(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """The address of Amazon's engine, if the machines are to run on that."""
    if DYNAMODB_LOCAL not in request.config.getoption("backends").split(","):
        yield None
        return
    with dynamodb_local.running(tmp_path_factory.mktemp("machines")) as endpoint_url:
        yield endpoint_url


@pytest.fixture(scope="module")
def aws(dynamodb_at: str | None) -> Iterator[Aws]:
    with on_moto(dynamodb_at) as made:
        yield made
