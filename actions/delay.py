"""delay: takes the time it is told to, in steps, and fails as often as it is told to; for demos and tests."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from actions.context import Context
from actions.outcomes import Permanent, Retry
from actions.registry import action


class DelayInput(Struct, forbid_unknown_fields=True):
    """How long, in how many steps, and how many first attempts fail at which step."""

    seconds: Annotated[float, Meta(ge=0, le=600)] = 1
    steps: Annotated[int, Meta(ge=1, le=1000)] = 5
    fail_attempts: Annotated[int, Meta(ge=0, le=100)] = 0
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
