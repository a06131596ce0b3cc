"""The kit that runs an action without AWS."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from actions import registry
from actions.context import Context
from actions.outcomes import Permanent, Retry, Stopped
from actions.registry import action
from actions.testing import RecordingProgress, run
from domain.errors import InvalidAction, InvalidFrame, InvalidJson


class Greeting(BaseModel):
    """Whom to greet."""

    name: str


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "_REGISTERED", dict(registry._REGISTERED))


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
