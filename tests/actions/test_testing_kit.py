"""The kit that runs an action without AWS."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from actions.context import Context
from actions.limits import CHECKPOINT_LIMIT, CHUNK_LIMIT
from actions.outcomes import Cancelled, Permanent, Retry, Stopped, TakenOver
from actions.registry import action
from actions.testing import NOW, RecordingProgress, run, run_until_done
from domain.commands import RetryPolicy
from domain.errors import DeadlineExceeded, InvalidAction, InvalidFrame, InvalidJson, PayloadTooLarge
from domain.events import Failure

pytestmark = pytest.mark.usefixtures("own_registry")


class Greeting(BaseModel):
    """Whom to greet."""

    name: str


def test_it_runs_an_action_of_ones_own_with_typed_input() -> None:
    @action("greet")
    def greet(payload: Greeting, context: Context) -> Any:
        context.progress.output({"line": 1})
        return {"greeting": f"Hello {payload.name}, attempt {context.attempt}"}

    ran = run("greet", {"name": "Ada"}, attempt=2)
    assert ran.result == {"greeting": "Hello Ada, attempt 2"}
    assert ran.progress.outputs == [{"line": 1}]
    with pytest.raises(InvalidFrame, match="name"):
        run("greet", {"name": 1})


def test_payload_and_result_are_what_json_makes_of_them() -> None:
    assert run("echo", {"n": 0.5, "t": (1, 2)}).result == {"n": Decimal("0.5"), "t": [1, 2]}
    with pytest.raises(InvalidJson):
        run("echo", object())


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(InvalidAction):
        run("nothing")


def test_delay_takes_no_real_time_and_fails_when_told_to() -> None:
    ran = run("delay", {"seconds": 600, "steps": 3, "fail_attempts": 1}, attempt=2)
    assert ran.progress.waited_s == pytest.approx(600)
    assert ran.progress.percents == pytest.approx([100 / 3, 200 / 3, 100])
    with pytest.raises(Retry):
        run("delay", {"fail_attempts": 1})
    with pytest.raises(Permanent):
        run("delay", {"fail_attempts": 1, "fail_permanently": True})


def test_an_action_is_stopped_after_as_many_tellings_as_one_says() -> None:
    progress = RecordingProgress(stop_after=2)
    with pytest.raises(Stopped):
        run("delay", {"steps": 5}, progress=progress)
    assert progress.percents == [20, 40]


def test_a_percentage_that_is_none_is_the_actions_mistake() -> None:
    with pytest.raises(ValueError, match="101"):
        RecordingProgress().report(101)


def test_a_model_is_a_result_too() -> None:
    @action("greet")
    def greet(payload: Greeting, context: Context) -> Greeting:  # noqa: ARG001 - the registry's signature
        return payload

    assert run("greet", {"name": "Ada"}).result == {"name": "Ada"}


def test_what_the_worker_would_refuse_is_refused() -> None:
    progress = RecordingProgress()
    with pytest.raises(PayloadTooLarge):
        progress.checkpoint("x" * CHECKPOINT_LIMIT)
    with pytest.raises(PayloadTooLarge):
        progress.output("x" * CHUNK_LIMIT)
    with pytest.raises(InvalidJson):
        progress.report(1, details={"x": object()})


def test_waiting_for_longer_than_the_deadline_ends_the_attempt_in_no_time() -> None:
    with pytest.raises(DeadlineExceeded):
        run("delay", {"seconds": 600, "steps": 2}, progress=RecordingProgress(deadline=timedelta(seconds=500)))


Counting = Callable[..., list[int]]


@pytest.fixture
def counting() -> Counting:
    """Registers an action that counts to ten, checkpoint by checkpoint, and does something else on its way."""

    def counting(at_five: Callable[[Context], None], **policy: Any) -> list[int]:
        counted: list[int] = []

        @action("count", **policy)
        def count(payload: None, context: Context) -> int:  # noqa: ARG001 - the registry's signature
            for number in range(context.checkpoint or 0, 10):
                if number == 5:
                    at_five(context)
                counted.append(number)
                context.progress.checkpoint(number + 1)
            return len(counted)

        return counted

    return counting


def nothing(context: Context) -> None:
    """Lets it count on."""


def failing(error: BaseException) -> Callable[[Context], None]:
    """Fails in the first attempt."""

    def fail(context: Context) -> None:
        if context.attempt == 1:
            raise error

    return fail


def test_each_attempt_goes_on_from_the_checkpoint_of_the_last_one(counting: Counting) -> None:
    counted = counting(failing(ConnectionError("lost")))
    lived = run_until_done("count")
    assert counted == [*range(10)]
    assert (lived.status, lived.result, lived.attempts) == ("COMPLETED", 10, 2)
    assert [len(one.checkpoints) for one in lived.progress] == [5, 5]
    assert [str(cause) for cause in lived.causes] == ["lost"]


def test_waits_are_as_the_policy_or_the_action_says(counting: Counting) -> None:
    counting(failing(Retry("busy")), retry=RetryPolicy(base=timedelta(seconds=7)))
    assert run_until_done("count").waits == [timedelta(seconds=7)]
    for after in (timedelta(hours=2), NOW + timedelta(hours=2)):
        counting(failing(Retry("busy", after=after)))
        assert run_until_done("count").waits == [timedelta(hours=2)]


def test_what_an_action_gives_up_on_is_not_tried_again(counting: Counting) -> None:
    counting(failing(ConnectionError()), give_up_on=(ConnectionError,))
    lived = run_until_done("count")
    assert (lived.status, lived.attempts) == ("FAILED", 1)
    assert lived.error == Failure(code="INTERNAL_ERROR", message="The action failed unexpectedly")
    counting(failing(ConnectionError()), retry_on=(ConnectionError,))
    assert run_until_done("count").attempts == 2
    counting(failing(KeyError()), retry_on=(ConnectionError,))
    assert run_until_done("count").attempts == 1


def test_an_action_that_leaves_the_process_is_tried_again(counting: Counting) -> None:
    counting(failing(SystemExit("no input")))
    lived = run_until_done("count")
    assert (lived.status, lived.attempts) == ("COMPLETED", 2)
    assert [str(cause) for cause in lived.causes] == ["SystemExit: no input"]


def test_attempts_end_with_the_last_one() -> None:
    lived = run_until_done("delay", {"fail_attempts": 9}, max_attempts=4)
    assert (lived.status, lived.attempts, len(lived.waits)) == ("FAILED", 4, 3)


def test_an_attempt_that_takes_too_long_is_followed_by_another() -> None:
    progress = {1: RecordingProgress(deadline=timedelta(seconds=1))}
    lived = run_until_done("delay", {"seconds": 5}, progress=progress)
    assert (lived.status, lived.attempts) == ("COMPLETED", 2)


def test_a_lost_worker_is_followed_by_one_that_goes_on(counting: Counting) -> None:
    counted = counting(nothing)
    lived = run_until_done("count", progress={1: RecordingProgress(stop_after=3, why=TakenOver)})
    # The fourth was counted but not saved before the worker was lost.
    assert counted == [0, 1, 2, 3, *range(3, 10)]
    assert (lived.status, lived.attempts) == ("COMPLETED", 2)


def test_a_cancel_ends_the_request_and_so_does_an_action_that_finds_it_is_not_needed(counting: Counting) -> None:
    counting(nothing)
    assert run_until_done("count", progress={1: RecordingProgress(stop_after=3)}).status == "CANCELLED"
    counting(failing(Cancelled("sold out")))
    lived = run_until_done("count")
    assert (lived.status, lived.state.cancel_reason) == ("CANCELLED", "sold out")
