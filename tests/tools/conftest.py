from collections.abc import Iterator

import pytest

from tests.kit.world import World, a_world
from tools.operated import Operated


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as made:
        yield made


@pytest.fixture
def stack(world: World) -> Operated:
    """The world as an operator's command sees it."""
    aws = world.aws
    return Operated("world", aws.dynamodb, aws.sqs, aws.tables, aws.queue_url, int(aws.environment["QUEUE_SHARDS"]))
