from collections.abc import Iterator

import pytest

from tests.kit.tables import Aws, on_moto


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with on_moto() as made:
        yield made
