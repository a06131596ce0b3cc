"""echo: gives back its payload, at once or by way of the queue."""

from typing import Any

from actions.context import Context
from actions.registry import Mode, action


@action("echo", mode=Mode.SYNC)
def echo(payload: Any, context: Context) -> Any:  # noqa: ARG001 - the registry's signature
    """The payload."""
    return payload


@action("echo_async")
def echo_async(payload: Any, context: Context) -> Any:
    """The payload, as the result of a queued request."""
    context.progress.report(100, "Echoed")
    return payload
