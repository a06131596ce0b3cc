"""Every error that the client raises, split by what its user can do about it.

ClientError
  RequestRejected     the server refused a frame, or it was refused here   -> change it
    RateLimited       it was too much for now, however often it was asked  -> come again after retry_after_ms
  RequestFailed       the request ended without a result                   -> see its error
  RequestCancelled    the request was stopped                              -> nobody wanted it any more
  WatchClosed         the handle was closed before the request ended       -> watch it again
  StillRunning        no result came in the time it was given              -> go on waiting; it is a TimeoutError
  UnexpectedResult    the result is not of the type that was asked for     -> see its value
  EventsLost          the log no longer has what was asked for             -> get the state as it is now
  ConnectRefused      the server does not accept the token                 -> bring another one
  ConnectionLost      no connection, and the tries are used up             -> try again later
  NoReply             connected, but a frame was never answered            -> report it
  UnreadableReply     the server speaks another protocol                   -> update the client
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from domain.errors import ErrorCode, StreamerError


class ClientError(StreamerError):
    """What can go wrong for a client."""

    message: ClassVar[str] = "The client failed"


class RequestRejected(ClientError):
    """A frame was refused; the code says why."""

    message = "Refused"

    def __init__(
        self,
        code: ErrorCode,
        told: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after_ms: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(told, code=code, request_id=request_id, retry_after_ms=retry_after_ms)
        self.code = code
        self.told = told
        self.details = details
        self.retry_after_ms = retry_after_ms
        self.request_id = request_id


class RateLimited(RequestRejected):
    """A frame was too much for now; nothing of it was done."""

    message = "Too much for now"

    def __str__(self) -> str:
        return f"{self.message}: {self.told}; try again in {(self.retry_after_ms or 0) / 1000:g} s"


class RequestFailed(ClientError):
    """The request ended without a result; `error` has the action's code and message."""

    message = "The request failed"

    def __init__(self, request_id: str, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("message", "")), code=error.get("code"), request_id=request_id)
        self.request_id = request_id
        self.error = error


class RequestCancelled(ClientError):
    """The request was stopped before it completed."""

    message = "The request was cancelled"

    def __init__(self, request_id: str, by: str | None = None, reason: str | None = None) -> None:
        super().__init__(reason or "", by=by, request_id=request_id)
        self.request_id = request_id
        self.by = by


class WatchClosed(ClientError):
    """The end of the request was not seen, because its handle was closed."""

    message = "No longer watched"


class StillRunning(ClientError, TimeoutError):
    """The result was waited for as long as its user wanted; the request goes on, and is still watched."""

    message = "The request has no result yet"


class UnexpectedResult(ClientError):
    """The result came, and is not what its user said it would be; `value` is what it is."""

    message = "The result is not of the expected type"

    def __init__(self, told: str, value: Any) -> None:
        super().__init__(told)
        self.value = value


class EventsLost(ClientError):
    """Events that exist were asked for and not given: nothing may be skipped in silence."""

    message = "The log no longer has these events"


class ConnectRefused(ClientError):
    """The server answered the connect with 401 or 403."""

    message = "The server does not accept the token"


class ConnectionLost(ClientError):
    """There is no connection and the tries to get one are used up, or the client was closed."""

    message = "No connection to the server"


class NoReply(ClientError):
    """A frame was sent and repeated, and never answered."""

    message = "The server did not answer"


class UnreadableReply(ClientError):
    """A reply that does not fit the protocol."""

    message = "The server's reply is not of the protocol"
