"""The action that simulated requests run: it does what its payload says, and tells when it runs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from actions.context import Context
from actions.outcomes import Permanent, Retry
from actions.registry import action
from domain.commands import RetryPolicy

NAME = "simulated"
RETRY = RetryPolicy(base=timedelta(seconds=2), cap=timedelta(seconds=20))
running: list[Callable[[Context], None]] = []  # who hears that an attempt begins to act


class Script(BaseModel):
    """What the action does: steps in order, and how its attempts end."""

    model_config = ConfigDict(extra="forbid")
    steps: list[tuple[Literal["wait", "report", "output"], float]]
    fail_attempts: int = 0
    failing: Literal["retry", "permanent", "raise"] = "retry"
    result_size: int = 0
    padding: str = ""


@action(NAME, max_attempts=3, retry=RETRY, deadline=timedelta(seconds=120))
def simulated(payload: Script, context: Context) -> Any:
    """Follow the script."""
    for listener in running:
        listener(context)
    for place, (kind, number) in enumerate(payload.steps):
        match kind:
            case "wait":
                context.progress.wait(number)
            case "report":
                context.progress.report(100 * (place + 1) / len(payload.steps), f"step {place}")
            case "output":
                context.progress.output({"attempt": context.attempt, "place": place})
    if context.attempt <= payload.fail_attempts:
        match payload.failing:
            case "retry":
                raise Retry(f"attempt {context.attempt}")
            case "permanent":
                raise Permanent(f"attempt {context.attempt}")
            case "raise":
                raise ValueError("an action's own bug")
    return {"attempt": context.attempt, "filling": "x" * payload.result_size}
