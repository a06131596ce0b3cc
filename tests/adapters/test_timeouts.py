"""A request that was given a time ends within it, wherever it is then; one that was delayed waits as long as told."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from actions.inputs import Input
from actions.registry import Action, Mode, Registry
from adapters.objects import Objects
from adapters.request_queue import RequestQueue
from adapters.request_view import RequestView
from adapters.stale_connections import StaleConnections
from adapters.sweeper import Sweeper
from adapters.tenant_views import TenantViews
from adapters.work_tokens import WorkTokens
from adapters.worker import Done, Worker
from domain.commands import DEFAULT_RETRY
from domain.recorded import Head
from domain.request import TIMED_OUT
from domain.state import Status
from tests.adapters.conftest import Asking
from tests.adapters.racing import PATIENCE_S
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, moto_fixture
from tests.kit.tokens import token

aws = moto_fixture()

LEASE = timedelta(seconds=30)
LIMIT = timedelta(seconds=PATIENCE_S)
MINUTE = timedelta(minutes=1)
MOMENT = timedelta(milliseconds=1)
WEEK = timedelta(days=7)
Run = Callable[[Head], Done | None]


@pytest.fixture
def acts() -> list[Callable[[], object]]:
    """What the action does in each of its attempts; nothing when there is no more."""
    return []


@pytest.fixture
def registry(acts: list[Callable[[], object]]) -> Registry:
    act = Action(
        name="echo_async",
        run=lambda _, __: acts.pop(0)() if acts else None,
        input=Input(Any),
        mode=Mode.ASYNC,
        deadline=LIMIT,
        max_attempts=3,
        retry=DEFAULT_RETRY,
    )
    return Registry({"echo_async": act})


@pytest.fixture
def run(
    aws: Aws,
    queue: RequestQueue,
    registry: Registry,
    objects: Objects,
    tokens: WorkTokens,
    clock: FakeClock,
    dynamodb: Any,
) -> Run:
    """Let a worker follow a token."""

    def views(tenant_id: str) -> TenantViews:
        return TenantViews(dynamodb, aws.tables["Audit"], aws.tables["Metrics"], tenant_id)

    def run(head: Head) -> Done | None:
        return Worker(queue, registry, lambda: objects, views, tokens, clock, LEASE).run(token(head), "w1", LIMIT)

    return run


@pytest.fixture
def sweeper(
    queue: RequestQueue,
    registry: Registry,
    view: RequestView,
    tokens: WorkTokens,
    stale: StaleConnections,
    clock: FakeClock,
) -> Sweeper:
    return Sweeper(queue, view, tokens, stale, registry.retry_policy, clock)


def test_a_queued_request_whose_time_is_over_is_not_run_any_more(
    asking: Asking, queue: RequestQueue, clock: FakeClock, run: Run
) -> None:
    head = asking.ask(timeout=MINUTE)
    asking.project()
    clock.set(head.state.due_at + MINUTE)
    run(head)
    ended = queue.get(head.request_id).state
    assert (ended.status, ended.error, ended.attempt) == (Status.FAILED, TIMED_OUT, 0)
    run(head)
    assert queue.get(head.request_id).state == ended


def test_a_worker_that_comes_upon_one_takes_the_next(
    asking: Asking, queue: RequestQueue, clock: FakeClock, run: Run
) -> None:
    late, other = asking.ask(timeout=MINUTE, priority=9), asking.ask()
    asking.project()
    clock.advance(by=2 * MINUTE)
    run(other)
    statuses = [queue.get(head.request_id).state.status for head in (late, other)]
    assert statuses == [Status.FAILED, Status.COMPLETED]


@pytest.mark.parametrize("delay", [timedelta(0), timedelta(hours=1)])
def test_the_sweeper_ends_a_queued_request_that_no_worker_comes_to(
    asking: Asking, queue: RequestQueue, clock: FakeClock, sweeper: Sweeper, delay: timedelta
) -> None:
    head = asking.ask(delay=delay, timeout=5 * MINUTE)
    asking.project()
    clock.set(head.state.due_at + 5 * MINUTE - MOMENT)
    assert sweeper.sweep().requests_expired == 0
    clock.set(head.state.due_at + 5 * MINUTE + timedelta(seconds=1))
    swept = sweeper.sweep()
    assert (swept.requests_expired, swept.tokens_sent) == (1, 0)
    assert queue.get(head.request_id).state.error == TIMED_OUT
    assert sweeper.sweep().requests_expired == 0


def test_a_running_request_is_stopped_when_its_time_is_over(
    asking: Asking, queue: RequestQueue, clock: FakeClock, run: Run, acts: list[Callable[[], object]]
) -> None:
    head = asking.ask(timeout=timedelta(milliseconds=50))

    def endless() -> None:
        clock.advance(by=MINUTE)  # as the time does while it waits
        threading.Event().wait()

    acts.append(endless)
    done = run(head)
    assert done is not None
    assert done.ended.error is not None
    assert done.ended.error.message == "no answer within 0.049 s"  # a millisecond passed when it was taken in
    newest = queue.get(head.request_id)
    assert newest.state.status is Status.FAILED
    assert newest.state.error == TIMED_OUT


def test_a_lost_worker_is_not_followed_by_another_when_the_time_is_over(
    asking: Asking, queue: RequestQueue, clock: FakeClock, sweeper: Sweeper
) -> None:
    head = asking.ask(timeout=LEASE)
    queue.claim(token(head), "w", LEASE)
    asking.project()
    clock.advance(by=LEASE)
    sweeper.sweep()
    assert queue.get(head.request_id).state.error == TIMED_OUT


def test_a_request_that_was_delayed_by_a_week_waits_for_a_week_and_runs_then(
    asking: Asking, queue: RequestQueue, clock: FakeClock, sweeper: Sweeper, run: Run, aws: Aws
) -> None:
    head = asking.ask(delay=WEEK)
    aws.tokens()
    asking.project()
    assert aws.tokens() == []  # SQS delays by 15 minutes at most
    for early in (WEEK - MINUTE, MINUTE * 2):
        clock.set(head.state.due_at - early)
        assert sweeper.sweep().tokens_sent == 0
        run(head)
        assert queue.get(head.request_id).state.status is Status.PENDING
    clock.set(head.state.due_at - timedelta(seconds=30))
    assert sweeper.sweep().tokens_sent == 1
    clock.set(head.state.due_at)
    run(head)
    assert queue.get(head.request_id).state.status is Status.COMPLETED
    # It is kept for as long as any other one, from when it was due.
    assert head.state.expires_at == head.state.due_at + timedelta(days=7)
