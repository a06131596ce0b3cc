"""How an attempt ended: what its action returned or raised, as what the log is told of it."""

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct, to_builtins

from actions.context import Context
from actions.limits import settled
from actions.outcomes import Cancelled, Permanent, Retry, Stopped
from actions.registry import Action
from domain.errors import DeadlineExceeded, ErrorCode, InvalidJson, Rejected
from domain.events import Failure
from domain.validity import LARGEST_JSON, LONGEST_ERROR, as_text

PERMANENT: Final = "ACTION_FAILED"
RETRY: Final = "ACTION_RETRY"
LONGEST_MESSAGE: Final = LONGEST_ERROR  # characters


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt ended with a result, with an error, or because nobody wants it any more.

    `reason` is there when the action itself found so; `cause` is an error that nobody expected.
    """

    result: Any = None
    error: Failure | None = None
    retryable: bool = False
    after: timedelta | None = None
    stopped: bool = False
    reason: str | None = None
    cause: BaseException | None = None


class Left(Exception):
    """An action would have left the process by sys.exit, or the event loop of a caller that there is not."""


def called(action: Action, payload: Any, context: Context) -> Any:
    """What the action returns.

    Errors: whatever it raises; Left for what is no Exception and would end the worker, and be told by nobody.
    """
    try:
        return action.run(payload, context)
    except _leaving() as exc:
        raise Left(f"{type(exc).__name__}: {exc}") from exc


def _leaving() -> tuple[type[BaseException], ...]:
    """What leaves; an action that loads no asyncio is cancelled by none."""
    asyncio = sys.modules.get("asyncio")
    return (SystemExit, asyncio.CancelledError) if asyncio else (SystemExit,)


def returned(result: Any) -> Ended:
    """The end of an attempt whose action returned.

    Errors: Permanent when what it returned is not JSON, PayloadTooLarge when it is too much to keep.
    """
    try:
        value = _plain(result)
        settled("result", value, LARGEST_JSON)  # written and read again: not everything that can be written can be read
    except InvalidJson as exc:
        raise Permanent(f"The action's {exc.told}") from exc
    except (TypeError, ValueError, RecursionError) as exc:
        raise Permanent(f"The action's result: not JSON ({exc})") from exc
    return Ended(result=value)


def _plain(result: Any) -> Any:
    """What an action returned, ready for JSON; an action that loads no pydantic returns none of its models."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(result, pydantic.BaseModel):
        return result.model_dump(mode="json")
    return to_builtins(result, builtin_types=(Decimal,)) if isinstance(result, Struct) else result


def raised(error: Exception | Stopped, action: Action | None, now: datetime) -> Ended:
    """The end of an attempt whose action raised, or that came to none: then there is no action."""
    match error:
        case Cancelled():
            return Ended(stopped=True, reason=_told(str(error)))
        case Stopped():
            return Ended(stopped=True)
        case Retry():
            return Ended(error=_failure(RETRY, str(error)), retryable=True, after=error.wait(now))
        case Permanent():
            return Ended(error=_failure(PERMANENT, str(error)))
        case DeadlineExceeded():
            return Ended(error=_failure(error.code, error.told), retryable=action is None or action.may_help(error))
        case Rejected():
            return Ended(error=_failure(error.code, error.told))
        case _:
            unexpected = Failure(code=ErrorCode.INTERNAL_ERROR, message="The action failed unexpectedly")
            return Ended(error=unexpected, retryable=action is None or action.may_help(error), cause=error)


def _failure(code: str, told: str) -> Failure:
    return Failure(code=code, message=_told(told))


def _told(text: str) -> str:
    """What an action tells its user, as text that an event and a push can carry."""
    return as_text(text, LONGEST_MESSAGE)
