"""What an action may raise to say how it ended, besides returning its result.

Exception
  Retry            it may succeed later      -> another attempt, after a while, if any is left
  Permanent        it can never succeed      -> the request has failed
BaseException
  Stopped          nobody wants this attempt any more: raised by Progress, passed on by actions
    Cancelled      the request is cancelled  -> an action may raise it itself, when it finds the work is not needed
    TakenOver      another worker has the request, or it has ended; nothing this attempt says counts

Stopped is no Exception, as asyncio.CancelledError is none: an action that handles every error must not go on.
"""

from datetime import datetime, timedelta


class Permanent(Exception):
    """The work can never succeed; the message is told to the user and nothing is tried again."""


class Retry(Exception):
    """The work may succeed later; the message is told to the user and another attempt is made if any is left.

    `after` is how long to wait, or the instant to wait for, as a server may have told it; without it the action's
    policy decides. Nothing runs meanwhile.
    """

    def __init__(self, message: str, after: timedelta | datetime | None = None) -> None:
        super().__init__(message)
        is_wait = after is None or isinstance(after, timedelta)
        if not is_wait and not (isinstance(after, datetime) and after.tzinfo is not None):
            raise TypeError(f"after: a timedelta, or a datetime with a time zone, not {after!r}")
        self.after = after

    def wait(self, now: datetime) -> timedelta | None:
        """How long to wait from now on; None leaves it to the policy."""
        return self.after - now if isinstance(self.after, datetime) else self.after


class Stopped(BaseException):
    """Nobody wants this attempt any more; let it pass through."""


class Cancelled(Stopped):
    """The request was cancelled; or raised by an action: it need not be done, for the reason in the message."""


class TakenOver(Stopped):
    """The attempt is over: its lease ended and another one has begun, or the request has ended."""
