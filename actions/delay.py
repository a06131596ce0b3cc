"""delay: takes the time it is told to, in steps, and fails as often as it is told to; for demos and tests."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from actions.context import Context
from actions.outcomes import Permanent, Retry
from actions.registry import action


class DelayInput(BaseModel):
    """How long, in how many steps, and how many first attempts fail at which step."""

    model_config = ConfigDict(extra="forbid", defer_build=True)
    seconds: Annotated[float, Field(ge=0, le=600)] = 1
    steps: Annotated[int, Field(ge=1, le=1000)] = 5
    fail_attempts: Annotated[int, Field(ge=0, le=100)] = 0
    fail_permanently: bool = False


@action("delay")
def delay(payload: DelayInput, context: Context) -> Any:
    """Wait through the steps; the attempts that are to fail do so half-way."""
    failing_step = payload.steps // 2 if context.attempt <= payload.fail_attempts else None
    for step in range(payload.steps):
        if step == failing_step:
            if payload.fail_permanently:
                raise Permanent(f"Told to fail for good in attempt {context.attempt}")
            raise Retry(f"Told to fail in attempt {context.attempt}")
        context.progress.wait(payload.seconds / payload.steps)
        context.progress.report(100 * (step + 1) / payload.steps, f"Step {step + 1} of {payload.steps}")
    return {"waited_s": payload.seconds, "steps": payload.steps, "attempt": context.attempt}
