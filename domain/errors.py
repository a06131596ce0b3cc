"""Every error of Streamer, split by who must act on it.

StreamerError
  Rejected            the caller asked for what the rules forbid  -> an error frame, never retried
    InvalidFrame      VALIDATION_ERROR
    InvalidJson       VALIDATION_ERROR
    InvalidValue      VALIDATION_ERROR  what no store takes; the context names the field
    InvalidAction     INVALID_ACTION
    NotFound          NOT_FOUND       (also another tenant's)
    Unauthorized      UNAUTHORIZED
    Forbidden         FORBIDDEN
    KeyReused         CONFLICT        an idempotency key with another payload
    NotRunnable       CONFLICT        not due, or another worker's
    AttemptOver       CONFLICT        a worker whose attempt has ended
    AlreadyFinal      ALREADY_FINAL
    RateLimited       RATE_LIMITED
    PayloadTooLarge   PAYLOAD_TOO_LARGE
    DeadlineExceeded  TIMEOUT
  Conflict            another writer was first                    -> reload and decide again
  TenantFull          as many of its requests run as may          -> another tenant's turn
  Unavailable         the world below failed                      -> raise: the platform redelivers
  Undecodable         a stored record that no code can read       -> quarantine it and go on
  Gone                the connection has closed                   -> remove it and go on
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar


class ErrorCode(StrEnum):
    """The codes an error frame may carry."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    INVALID_ACTION = "INVALID_ACTION"
    NOT_FOUND = "NOT_FOUND"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    CONFLICT = "CONFLICT"
    ALREADY_FINAL = "ALREADY_FINAL"
    RATE_LIMITED = "RATE_LIMITED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    TIMEOUT = "TIMEOUT"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class StreamerError(Exception):
    """A constant message with the context it happened in."""

    message: ClassVar[str] = "Something went wrong"

    def __init__(self, reason: str = "", **context: Any) -> None:
        self.reason = reason
        self.context: Mapping[str, Any] = {name: value for name, value in context.items() if value is not None}
        super().__init__(reason or self.message)

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.context.items())
        return " ".join(part for part in (self.message, self.reason and f"({self.reason})", told) if part)


class Rejected(StreamerError):
    """The caller asked for what the rules forbid."""

    code: ClassVar[ErrorCode] = ErrorCode.VALIDATION_ERROR

    @property
    def told(self) -> str:
        """What the caller is told: the reason where there is one, else the constant message."""
        return self.reason or self.message


class InvalidFrame(Rejected):
    """A frame that does not fit the protocol."""

    message = "The frame is not valid"


class InvalidJson(Rejected):
    """Text that is not JSON, or a value that JSON cannot hold."""

    message = "Not valid JSON"


class InvalidValue(Rejected):
    """A value that no store takes; the context names its field."""

    message = "The value is not valid"


class InvalidAction(Rejected):
    """No action is registered under the name."""

    code = ErrorCode.INVALID_ACTION
    message = "Unknown action"


class NotFound(Rejected):
    """Nothing there that this caller may know of."""

    code = ErrorCode.NOT_FOUND
    message = "No such request"


class Unauthorized(Rejected):
    """No valid token, or one that has expired."""

    code = ErrorCode.UNAUTHORIZED
    message = "A valid token is required"


class Forbidden(Rejected):
    """The caller is known, but lacks the scope."""

    code = ErrorCode.FORBIDDEN
    message = "Not allowed"


class KeyReused(Rejected):
    """The idempotency key already stands for another action or payload."""

    code = ErrorCode.CONFLICT
    message = "The idempotency key was used for a different request"


class NotRunnable(Rejected):
    """The request cannot be started: not due yet, or another worker has it."""

    code = ErrorCode.CONFLICT
    message = "The request cannot be started now"


class AttemptOver(Rejected):
    """The worker's attempt has ended; its fencing token is no longer the newest."""

    code = ErrorCode.CONFLICT
    message = "This attempt is over"


class AlreadyFinal(Rejected):
    """The request has ended; no event ever follows."""

    code = ErrorCode.ALREADY_FINAL
    message = "The request has already ended"


class RateLimited(Rejected):
    """Too much for now, and nothing of it was done; the context names the limit and has retry_after_ms."""

    code = ErrorCode.RATE_LIMITED
    message = "Too much at once"

    def __init__(self, reason: str = "", *, retry_after: timedelta = timedelta(seconds=1), **context: Any) -> None:
        # Rounded up: whoever comes too early is only refused again.
        super().__init__(reason, retry_after_ms=-(-retry_after // timedelta(milliseconds=1)), **context)


class PayloadTooLarge(Rejected):
    """More bytes than the frame or field may have."""

    code = ErrorCode.PAYLOAD_TOO_LARGE
    message = "Too large"


class DeadlineExceeded(Rejected):
    """A synchronous action took longer than it may."""

    code = ErrorCode.TIMEOUT
    message = "The action did not answer in time"


class Conflict(StreamerError):
    """Another writer appended first; the context has the expected version and what was found."""

    message = "Another writer was first"


class TenantFull(StreamerError):
    """As many requests of the tenant run as it may have running at the same time."""

    message = "All of the tenant's slots are taken"


class Unavailable(StreamerError):
    """A service below failed; trying again later may help."""

    message = "A service below is unavailable"


class Undecodable(StreamerError):
    """A stored record that no code can read."""

    message = "Unreadable record"


class Gone(StreamerError):
    """The connection has closed."""

    message = "The connection is gone"
