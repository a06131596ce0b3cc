"""However an action ends, the log says so; a worker that is late says nothing."""

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from actions.context import Context
from actions.ending import LONGEST_MESSAGE
from actions.inputs import Input
from actions.outcomes import Cancelled, Permanent, Retry
from actions.registry import Action, Mode, Registry
from adapters import worker as module
from adapters.event_store import EventStore
from adapters.objects import Objects
from adapters.request_queue import RequestQueue
from adapters.tenant_views import TenantViews
from adapters.work_tokens import WorkTokens, body_of
from adapters.worker import Done, Worker
from domain.commands import DEFAULT_RETRY, ExpireLease, RetryPolicy, Start
from domain.errors import DeadlineExceeded, Rejected, Unavailable
from domain.events import Failure, RequestCancelled
from domain.state import Status
from domain.validity import LARGEST_JSON
from tests.adapters.conftest import Asking
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, moto_fixture
from tests.kit.tokens import token

aws = moto_fixture()

LEASE = timedelta(seconds=30)
LIMIT = timedelta(minutes=14)
Act = Callable[[Any, Context], Any]
Run = Callable[..., Done]


class Answer(BaseModel):
    """What an action may give back as well."""

    n: int


def action(run: Act, **policy: Any) -> Action:
    given: dict[str, Any] = {
        "mode": Mode.ASYNC,
        "deadline": LIMIT,
        "max_attempts": 3,
        "retry": DEFAULT_RETRY,
        "scope": None,
    }
    return Action(**{**given, "name": "act", "run": run, "input": Input(dict[str, int]), **policy})


@pytest.fixture
def worker(
    aws: Aws, queue: RequestQueue, objects: Objects, tokens: WorkTokens, clock: FakeClock, dynamodb: Any
) -> Callable[..., Worker]:
    def make(*actions: Action) -> Worker:
        def views(tenant_id: str) -> TenantViews:
            return TenantViews(dynamodb, aws.tables["Audit"], aws.tables["Metrics"], tenant_id)

        registry = Registry({one.name: one for one in actions})
        return Worker(queue, registry, lambda: objects, views, tokens, clock, LEASE)

    return make


@pytest.fixture
def run(worker: Callable[..., Worker], asking: Asking) -> Run:
    """Submit a request for an action and let a worker run it."""

    def run(act: Act, *, asked: dict[str, Any] | None = None, limit: timedelta = LIMIT, **policy: Any) -> Done:
        head = asking.ask(**{"action": "act", "payload": {}, **(asked or {})})
        done = worker(action(act, **policy)).run(token(head), "w1", limit)
        assert done is not None
        return done

    return run


def test_a_result_completes_the_request(run: Run, queue: RequestQueue) -> None:
    done = run(lambda payload, _: {"got": payload}, asked={"payload": {"a": 1}})
    assert done.head.state.status is Status.COMPLETED
    assert queue.result(done.head) == {"got": {"a": 1}}


def test_a_model_is_a_result_too(run: Run, queue: RequestQueue) -> None:
    assert queue.result(run(lambda *_: Answer(n=1)).head) == {"n": 1}


def test_an_action_is_told_who_asks_and_gets_a_large_payload_whole(run: Run, asking: Asking) -> None:
    seen: list[Context] = []
    payload = {f"k{n}": n for n in range(3000)}

    def act(got: Any, context: Context) -> Any:
        seen.append(context)
        return got == payload

    done = run(act, asked={"payload": payload})
    assert done.ended.result is True
    assert (seen[0].tenant_id, seen[0].user_id, seen[0].attempt) == (asking.tenant_id, "ann", 1)
    assert seen[0].request_id == done.head.request_id
    key = seen[0].files.write("out.txt", b"hello", "text/plain")
    assert seen[0].files.read(key) == b"hello"
    for foreign in ("other/ann/x", f"{asking.tenant_id}/bob/x", f"{asking.tenant_id}/ann/../bob/x", "x"):
        with pytest.raises(Permanent):
            seen[0].files.read(foreign)


def raising(error: BaseException) -> Act:
    def act(*_: object) -> Any:
        raise error

    return act


def test_what_may_succeed_later_is_tried_again_when_the_policy_says(run: Run, clock: FakeClock) -> None:
    policy = RetryPolicy(base=timedelta(seconds=8))
    state = run(raising(Retry("busy")), retry=policy).head.state
    assert (state.status, state.error) == (Status.RETRYING, Failure(code="ACTION_RETRY", message="busy"))
    assert state.due_at == clock.now() + timedelta(seconds=4)  # half of it: the clock's jitter


def test_an_action_may_say_when_it_is_to_be_tried_again(run: Run, clock: FakeClock) -> None:
    state = run(raising(Retry("busy", after=timedelta(minutes=7)))).head.state
    assert state.due_at == clock.now() + timedelta(minutes=7)


@pytest.mark.parametrize("after", [30, datetime(2030, 1, 1)])  # noqa: DTZ001 - that it has no zone is its fault
def test_a_wait_that_is_none_is_the_actions_own_fault(run: Run, after: Any) -> None:
    def act(*_: object) -> Any:
        raise Retry("busy", after=after)

    done = run(act, asked={"max_attempts": 1})
    assert done.head.state.error == Failure(code="INTERNAL_ERROR", message="The action failed unexpectedly")
    assert isinstance(done.ended.cause, TypeError)


def test_a_result_that_could_not_be_read_again_is_none(run: Run) -> None:
    error = run(lambda *_: {"n": Decimal("7" * 4301)}).head.state.error
    assert error is not None
    assert error.code == "ACTION_FAILED"
    assert error.message.startswith("The action's result: not JSON (")


@pytest.mark.parametrize("failures", [1, 3])
def test_an_end_that_cannot_be_written_now_is_written_a_moment_later(
    run: Run, dynamodb: Wrapped, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    monkeypatch.setattr(module, "PAUSES_S", (0.001,))
    throttled = client_error("ProvisionedThroughputExceededException")
    done = run(lambda *_: dynamodb.fail("put_item", throttled, failures), asked={"max_attempts": 1})
    assert done.head.state.status is Status.COMPLETED


def test_an_end_whose_answer_was_lost_is_written_once(
    run: Run, dynamodb: Wrapped, queue: RequestQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSES_S", (0.001,))
    done = run(lambda *_: dynamodb.lose("put_item"), asked={"max_attempts": 1})
    assert (done.head.state.status, done.head.version) == (Status.COMPLETED, 3)
    assert queue.get(done.head.request_id) == done.head


@pytest.mark.parametrize(("limit", "spent_s"), [(LIMIT, 30), (timedelta(seconds=1), 6)])
def test_an_end_is_tried_no_longer_than_the_lease_or_the_function_lasts_and_then_the_token_comes_again(
    run: Run,
    queue: RequestQueue,
    dynamodb: Wrapped,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    limit: timedelta,
    spent_s: int,
) -> None:
    monkeypatch.setattr(module, "PAUSES_S", (0.001,))
    seen: list[str] = []
    tried: list[float] = []

    def throttled() -> None:
        clock.advance(2)
        tried.append(clock.monotonic())
        dynamodb.first("put_item", throttled)
        raise client_error("ProvisionedThroughputExceededException")

    def act(_: Any, context: Context) -> Any:
        seen.append(context.request_id)
        tried.append(clock.monotonic())
        dynamodb.first("put_item", throttled)

    with pytest.raises(Unavailable):
        run(act, limit=limit)
    assert tried[-1] - tried[0] == pytest.approx(spent_s)
    assert queue.get(seen[0]).state.status is Status.PROCESSING
    assert not [one for one in threading.enumerate() if one.name.startswith("lease-")]


def test_without_an_attempt_left_the_request_fails(run: Run) -> None:
    state = run(raising(Retry("busy")), asked={"max_attempts": 1}).head.state
    assert (state.status, state.error) == (Status.FAILED, Failure(code="ACTION_RETRY", message="busy"))


def test_what_can_never_succeed_fails_at_once(run: Run) -> None:
    state = run(raising(Permanent("no such column"))).head.state
    assert (state.status, state.error) == (Status.FAILED, Failure(code="ACTION_FAILED", message="no such column"))


def test_an_unexpected_error_is_tried_again_and_tells_the_user_nothing_of_it(run: Run) -> None:
    done = run(raising(ZeroDivisionError("secret")))
    assert done.head.state.status is Status.RETRYING
    assert done.head.state.error == Failure(code="INTERNAL_ERROR", message="The action failed unexpectedly")
    assert isinstance(done.ended.cause, ZeroDivisionError)


@pytest.mark.parametrize("error", [SystemExit("no input"), asyncio.CancelledError()])
def test_an_action_that_leaves_the_process_has_failed_as_by_any_error(run: Run, error: BaseException) -> None:
    done = run(raising(error), asked={"max_attempts": 1})
    assert done.head.state.error == Failure(code="INTERNAL_ERROR", message="The action failed unexpectedly")
    assert done.ended.cause is not None
    assert done.ended.cause.__cause__ is error


def test_an_action_may_wait_for_the_instant_that_a_server_told(run: Run, clock: FakeClock) -> None:
    then = clock.now() + timedelta(hours=3)
    assert run(raising(Retry("busy", after=then))).head.state.due_at == then


class Refused(ConnectionError):
    """A kind of connection error."""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConnectionResetError(), Status.RETRYING),
        (Refused(), Status.FAILED),
        (ValueError(), Status.FAILED),
        (Unavailable("the log"), Status.RETRYING),
        (Retry("busy"), Status.RETRYING),
    ],
)
def test_an_action_says_by_type_which_errors_are_tried_again(run: Run, error: Exception, status: Status) -> None:
    done = run(raising(error), retry_on=(ConnectionError,), give_up_on=(Refused,))
    assert done.head.state.status is status
    assert done.ended.cause is (None if isinstance(error, Retry) else error)


def test_without_a_word_about_types_every_unexpected_error_is_tried_again_but_those_given_up_on(run: Run) -> None:
    assert run(raising(ValueError()), give_up_on=(KeyError,)).head.state.status is Status.RETRYING
    assert run(raising(KeyError()), give_up_on=(KeyError,)).head.state.status is Status.FAILED


def overrunning(*_: object) -> None:
    threading.Event().wait()


def test_an_attempt_that_took_too_long_is_tried_again_unless_the_action_gives_up_on_that(run: Run) -> None:
    brief = {"deadline": timedelta(milliseconds=20)}
    assert run(overrunning, **brief, retry_on=(ConnectionError,)).head.state.status is Status.RETRYING
    assert run(overrunning, **brief, give_up_on=(DeadlineExceeded,)).head.state.status is Status.FAILED


def test_an_action_may_end_its_request_as_cancelled(run: Run, events: EventStore) -> None:
    done = run(raising(Cancelled("sold out")))
    assert done.head.state.status is Status.CANCELLED
    assert list(events.read(done.head.request_id))[-1].event() == RequestCancelled(by="action act", reason="sold out")


def test_an_action_that_handles_every_error_does_not_handle_its_cancel(
    run: Run, queue: RequestQueue, clock: FakeClock
) -> None:
    def stubborn(_: Any, context: Context) -> Any:
        queue.cancel(queue.get(context.request_id), "bob", "enough")
        clock.advance(1)
        with suppress(Exception):
            context.progress.report(50)
        return "not heard"

    assert run(stubborn).head.state.status is Status.CANCELLED


Ending = Callable[[Context], Any]


def busy(_: Context) -> None:
    raise Retry("busy")


def broken(_: Context) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("ending", [overrunning, busy, broken])
def test_the_next_attempt_goes_on_from_the_newest_checkpoint_however_the_last_one_ended(
    worker: Callable[..., Worker], asking: Asking, clock: FakeClock, ending: Ending
) -> None:
    seen: list[Any] = []

    def act(_: Any, context: Context) -> Any:
        seen.append(context.checkpoint)
        for row in range(10):
            context.progress.checkpoint({"row": row})
        return "done" if context.attempt > 1 else ending(context)

    head = asking.ask(action="act", payload={})
    made = worker(action(act, deadline=timedelta(milliseconds=100) if ending is overrunning else LIMIT))
    first = made.run(token(head), "w1", LIMIT)
    assert first is not None
    assert first.head.state.status is Status.RETRYING
    clock.set(first.head.state.due_at)
    second = made.run(token(first.head), "w2", LIMIT)
    assert second is not None
    assert (second.head.state.status, second.head.state.checkpoint) == (Status.COMPLETED, None)
    assert seen == [None, {"row": 9}]


def test_the_worker_that_takes_over_from_a_lost_one_has_its_checkpoint(
    run: Run, queue: RequestQueue, clock: FakeClock
) -> None:
    def act(_: Any, context: Context) -> Any:
        context.progress.checkpoint({"row": 7})
        clock.advance(by=LEASE)
        head = queue.execute(ExpireLease(now=clock.now(), jitter=0), queue.get(context.request_id))
        return queue.execute(Start(now=clock.now(), worker_id="w2", lease_until=clock.now() + LEASE), head)

    assert queue.get(run(act).head.request_id).state.checkpoint == {"row": 7}


def test_an_attempt_that_was_taken_over_cannot_replace_a_file_of_the_next_one(
    worker: Callable[..., Worker], asking: Asking, clock: FakeClock
) -> None:
    contexts: list[Context] = []

    def act(_: Any, context: Context) -> Any:
        contexts.append(context)
        if context.attempt == 1:
            raise Retry("busy")
        return context.files.write("result.csv", b"the winner's", "text/csv")

    made = worker(action(act))
    head = asking.ask(action="act", payload={})
    first = made.run(token(head), "w1", LIMIT)
    assert first is not None
    clock.set(first.head.state.due_at)
    second = made.run(token(first.head), "w2", LIMIT)
    assert second is not None
    contexts[0].files.write("result.csv", b"late", "text/csv")
    assert contexts[1].files.read(second.ended.result) == b"the winner's"


def test_an_action_that_does_not_end_is_stopped_by_its_deadline(run: Run) -> None:
    before = signal.getsignal(signal.SIGALRM)
    done = run(lambda *_: threading.Event().wait(), deadline=timedelta(milliseconds=20))
    assert done.head.state.status is Status.RETRYING
    assert done.head.state.error is not None
    assert done.head.state.error.code == "TIMEOUT"
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) == before


def test_an_action_that_catches_every_error_is_stopped_by_its_deadline_all_the_same(run: Run) -> None:
    def stubborn(*_: object) -> None:
        while True:
            try:
                threading.Event().wait()
            except Exception:  # noqa: BLE001, S112 - what the test is about
                continue

    state = run(stubborn, deadline=timedelta(milliseconds=20)).head.state
    assert state.error is not None
    assert state.error.code == "TIMEOUT"


@pytest.mark.parametrize("kind", [Permanent, Retry])
def test_the_message_of_an_error_is_brought_to_what_a_push_can_carry(run: Run, kind: type[Exception]) -> None:
    state = run(raising(kind("x" * 300_000 + "\ud800"))).head.state
    assert state.error is not None
    assert state.error.message == "x" * LONGEST_MESSAGE
    state = run(raising(kind("half \ud800"))).head.state
    assert state.error is not None
    assert state.error.message == "half ?"


def test_what_is_left_of_the_functions_time_is_a_deadline_too(run: Run) -> None:
    done = run(lambda *_: threading.Event().wait(), limit=timedelta(seconds=-5))
    assert done.head.state.error is not None
    assert done.head.state.error.code == "TIMEOUT"


def test_a_payload_that_does_not_fit_the_action_fails_the_request(run: Run) -> None:
    state = run(raising(AssertionError()), asked={"payload": {"a": "text"}}).head.state
    assert state.status is Status.FAILED
    assert state.error is not None
    assert state.error.code == "VALIDATION_ERROR"
    assert "text" not in state.error.message


def test_an_action_that_this_deployment_does_not_have_fails_the_request(
    worker: Callable[..., Worker], asking: Asking
) -> None:
    done = worker().run(token(asking.ask(action="gone")), "w1", LIMIT)
    assert done is not None
    assert done.head.state.status is Status.FAILED
    assert done.head.state.error is not None
    assert done.head.state.error.code == "INVALID_ACTION"


def nested(levels: int) -> Any:
    return [nested(levels - 1)] if levels else []


class Anything(BaseModel):
    """A model that may hold what JSON cannot."""

    held: Any


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (object(), "object has no JSON form"),
        ([Answer(n=1)], "Answer has no JSON form"),
        ({"x": float("nan")}, "nan"),
        ({1, 2}, "set has no JSON form"),
        ("\ud800", "surrogate"),
        (nested(60), "nested deeper than 48"),
        ({("a",): 1}, "not tuple"),
        (Anything(held=object()), "unknown type"),
    ],
)
def test_a_result_that_is_not_json_fails_the_request_and_says_why(run: Run, result: object, why: str) -> None:
    state = run(lambda *_: result).head.state
    assert state.status is Status.FAILED
    assert state.error is not None
    assert state.error.code == "ACTION_FAILED"
    assert state.error.message.startswith("The action's result: not JSON (")
    assert why in state.error.message


@pytest.mark.parametrize("told", [{"x": object()}, {"x": "\ud800"}])
def test_progress_that_is_not_json_fails_the_request_and_says_which(run: Run, told: dict[str, Any]) -> None:
    acts = {
        "details": lambda _, context: context.progress.report(1, details=told),
        "an output": lambda _, context: context.progress.output(told),
        "checkpoint": lambda _, context: context.progress.checkpoint(told),
    }
    for what, act in acts.items():
        state = run(act).head.state
        assert state.status is Status.FAILED
        assert state.error is not None
        assert state.error.message.startswith(f"{what}: not JSON (")
        assert state.error is not None
        assert state.error.code == "VALIDATION_ERROR"


def test_a_cancelled_request_ends_cancelled_whoever_asked(run: Run, queue: RequestQueue, clock: FakeClock) -> None:
    def act(_: Any, context: Context) -> Any:
        queue.cancel(queue.get(context.request_id), "bob", "enough")
        clock.advance(1)
        context.progress.report(50)
        raise AssertionError("it was told to stop")

    done = run(act)
    assert done.ended.stopped
    assert done.head.state.status is Status.CANCELLED


def test_a_worker_that_was_taken_over_says_so_and_writes_nothing(
    run: Run, queue: RequestQueue, events: EventStore, clock: FakeClock
) -> None:
    def act(_: Any, context: Context) -> Any:
        clock.advance(by=LEASE)
        head = queue.execute(ExpireLease(now=clock.now(), jitter=0), queue.get(context.request_id))
        queue.execute(Start(now=clock.now(), worker_id="w2", lease_until=clock.now() + LEASE), head)
        return "too late"

    done = run(act)
    assert done.ended.stopped
    assert isinstance(done.ended.cause, Rejected)
    newest = events.head(done.head.request_id)
    assert (newest.state.status, newest.state.attempt, newest.state.worker_id) == (Status.PROCESSING, 2, "w2")


def test_an_unavailable_log_while_reporting_does_not_end_the_work(run: Run, dynamodb: Wrapped) -> None:
    def act(_: Any, context: Context) -> Any:
        dynamodb.fail("put_item", client_error("ThrottlingException"), times=2)
        context.progress.report(10)
        context.progress.report(20)
        context.progress.report(30)
        return "done"

    assert run(act).head.state.status is Status.COMPLETED


def test_the_last_report_is_there_before_the_final_event(run: Run, events: EventStore) -> None:
    def act(_: Any, context: Context) -> Any:
        for percent in range(0, 100, 5):
            context.progress.report(percent)
        return "done"

    log = list(events.read(run(act).head.request_id))
    assert [one.type for one in log[-2:]] == ["ProgressReported", "RequestCompleted"]
    assert log[-2].snapshot().percent == 95


def test_a_worker_without_work_says_so(worker: Callable[..., Worker]) -> None:
    assert worker().run(None, "w1", LIMIT) is None


def test_a_waiting_request_that_was_passed_over_gets_its_token_back(
    worker: Callable[..., Worker], asking: Asking, clock: FakeClock, aws: Aws
) -> None:
    hint = token(asking.ask(action="act", delay=timedelta(seconds=60)))
    clock.advance(86400)
    better = asking.ask(action="act", priority=9).request_id
    asking.project()
    aws.tokens()
    done = worker(action(lambda *_: "done")).run(hint, "w1", LIMIT)
    assert done is not None
    assert done.head.request_id == better
    assert aws.tokens() == [body_of(hint)]


def test_an_action_that_is_gone_has_the_default_policy() -> None:
    assert Registry({}).retry_policy("gone") is DEFAULT_RETRY


def test_a_result_that_is_too_large_to_keep_fails_the_request_at_once(run: Run) -> None:
    done = run(lambda *_: "x" * LARGEST_JSON)
    assert done.head.state.status is Status.FAILED
    assert done.head.state.error == Failure(
        code="PAYLOAD_TOO_LARGE",
        message=f"result: {LARGEST_JSON + 2} bytes of JSON, at most {LARGEST_JSON} are possible",
    )


def test_an_error_whose_message_is_no_text_ends_the_attempt_all_the_same(run: Run) -> None:
    done = run(raising(Permanent("\x1b[31mred\x00")))
    assert done.head.state.error == Failure(code="ACTION_FAILED", message="?[31mred?")
