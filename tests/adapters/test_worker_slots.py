"""Who gives a tenant's slot back wakes the tenant's next request: its token was let go when the slots were taken."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from actions.registry import Registry
from adapters.event_store import EventStore
from adapters.objects import Objects
from adapters.request_queue import RequestQueue
from adapters.request_view import RequestView
from adapters.tenant_slots import TenantSlots
from adapters.tenant_views import TenantViews
from adapters.work_tokens import WorkTokens, wake_of
from adapters.worker import Worker
from domain.recorded import Head
from tests.adapters.conftest import Asking
from tests.adapters.test_worker import action
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, moto_fixture
from tests.kit.tokens import token

aws = moto_fixture()

LIMIT = timedelta(minutes=14)
Queue = Callable[[int], RequestQueue]


@pytest.fixture
def queue_of(
    aws: Aws, events: EventStore, view: RequestView, objects: Objects, clock: FakeClock, dynamodb: Any
) -> Queue:
    """A queue whose tenants have so many slots, 0 for no limit."""

    def make(many: int) -> RequestQueue:
        slots = TenantSlots(dynamodb, aws.tables["Limits"], aws.tables["Events"], many) if many else None
        return RequestQueue(events, view, objects, clock, timedelta(days=7), slots)

    return make


Run = Callable[[RequestQueue, Head], None]


@pytest.fixture
def run(asking: Asking, aws: Aws, objects: Objects, tokens: WorkTokens, clock: FakeClock) -> Run:
    """Let a worker run a request, while which the views come up to the log."""

    def views(tenant_id: str) -> TenantViews:
        return TenantViews(aws.dynamodb, aws.tables["Audit"], aws.tables["Metrics"], tenant_id)

    registry = Registry({"act": action(lambda *_: asking.project())})

    def run(queue: RequestQueue, head: Head) -> None:
        worker = Worker(queue, registry, lambda: objects, views, tokens, clock, timedelta(seconds=30))
        assert worker.run(token(head), "w1", LIMIT) is not None

    return run


def woken(aws: Aws) -> list[str]:
    """The requests that the tokens on the work queue name; takes them."""
    return [wake.request_id for wake in map(wake_of, aws.tokens()) if wake]


def asked(asking: Asking, aws: Aws, many: int) -> list[Head]:
    """Requests in the view, whose own tokens are gone."""
    heads = [asking.ask(action="act") for _ in range(many)]
    asking.project()
    aws.tokens()
    return heads


def test_the_end_of_a_request_wakes_the_next_one_of_its_tenant(
    queue_of: Queue, run: Run, asking: Asking, aws: Aws
) -> None:
    first, second, _ = asked(asking, aws, 3)
    run(queue_of(1), first)
    assert woken(aws) == [second.request_id]


def test_without_slots_nothing_is_woken_for_every_request_has_its_own_token(
    queue_of: Queue, run: Run, asking: Asking, aws: Aws
) -> None:
    first, _ = asked(asking, aws, 2)
    run(queue_of(0), first)
    assert woken(aws) == []


def test_another_tenants_request_is_not_woken(queue_of: Queue, run: Run, asking: Asking, aws: Aws) -> None:
    asking.ask(action="act", tenant_id=f"{asking.tenant_id}x")
    (first,) = asked(asking, aws, 1)
    run(queue_of(1), first)
    assert woken(aws) == []


def test_a_request_that_ended_is_ended_although_its_token_for_the_next_cannot_be_sent(
    queue_of: Queue, run: Run, asking: Asking, aws: Aws, sqs: Wrapped
) -> None:
    first, _ = asked(asking, aws, 2)
    sqs.fail("send_message_batch", client_error("InternalError", "SendMessageBatch"))
    run(queue_of(1), first)
    assert woken(aws) == []  # the sweeper finds the next one
    assert queue_of(1).get(first.request_id).state.is_final
