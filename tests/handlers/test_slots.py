"""With one slot a tenant: what is told of a request that waits for it."""

from collections.abc import Callable
from datetime import timedelta

from handlers import bootstrap
from tests.handlers.conftest import Connect
from tests.kit.clock import FakeClock
from tests.kit.tables import moto_fixture
from tests.kit.tokens import token

aws = moto_fixture(TENANT_CONCURRENCY="1")


def test_an_explanation_names_the_limit_that_holds_a_request_back(
    connect: Connect, project: Callable[[], None], clock: FakeClock
) -> None:
    client = connect()
    first = client.submit()
    clock.advance(1)
    second = client.submit()
    project()
    assert client.say("explain", request_id=second).get("held_by") is None
    bootstrap.queue().claim(token(bootstrap.queue().get(first)), "w", timedelta(seconds=30))
    told = client.say("explain", request_id=second)
    assert told["held_by"] == "tenant_concurrency"
    assert told["why"].startswith("It waits for a slot")
    assert client.say("explain", request_id=first).get("held_by") is None
