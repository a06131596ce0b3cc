"""The questions that are open: frames that were sent and not yet answered, whatever happens to the socket.

Every frame that this client sends may be repeated: reads change nothing, a submit has an idempotency key, and a
cancel of what is cancelled follows with nothing. So a question stays open until its reply comes, and is sent again
when the socket is replaced or when no reply comes in time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any, Final

from client.errors import ClientError, NoReply, RateLimited, RequestRejected
from domain import exact_json, protocol
from domain.errors import ErrorCode, Rejected

ASKED_TIMES: Final = 3
LOG: Final = logging.getLogger(__name__)

Send = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class _Question:
    text: str
    reply: asyncio.Future[protocol.AnyServerFrame]


class Questions:
    """Who waits for which reply."""

    def __init__(self, reply_timeout: timedelta) -> None:
        self._timeout = reply_timeout.total_seconds()
        self._ids = count(1)
        self._open: dict[str, _Question] = {}
        self._ended: ClientError | None = None

    async def ask(self, frame: Mapping[str, Any], send: Send) -> protocol.AnyServerFrame:
        """The reply to a frame; RequestRejected when it is refused, by the server or already here.

        `send` tells whether there was a socket to send on: only time with one counts towards NoReply.
        """
        frame_id = str(next(self._ids))
        question = _Question(_text({**frame, "id": frame_id}), asyncio.get_running_loop().create_future())
        if self._ended is not None:
            raise self._ended
        self._open[frame_id] = question
        try:
            asked = 0
            while asked < ASKED_TIMES:
                asked += await send(question.text)
                await asyncio.wait((question.reply,), timeout=self._timeout)
                if question.reply.done():
                    return question.reply.result()
            raise NoReply(type=frame["type"])
        finally:
            del self._open[frame_id]
            if not question.reply.cancel():
                question.reply.exception()  # told, or to nobody any more

    def texts(self) -> list[str]:
        """The frames to send again on a new socket, in their first order."""
        return [question.text for question in self._open.values() if not question.reply.done()]

    def answered(self, frame: protocol.AnyServerFrame) -> None:
        """Give a reply to whoever asked."""
        question = self._open.get(frame.id or "")
        if question is None or question.reply.done():
            LOG.log(logging.WARNING if frame.id is None else logging.DEBUG, "nobody waits for this: %s", _named(frame))
        elif isinstance(frame, protocol.Error):
            question.reply.set_exception(refusal(frame))
        else:
            question.reply.set_result(frame)

    def end(self, error: ClientError) -> None:
        """Nothing will be answered any more."""
        self._ended = self._ended or error
        for question in self._open.values():
            if not question.reply.done():
                question.reply.set_exception(self._ended)


def _text(frame: Mapping[str, Any]) -> str:
    """The frame as text; RequestRejected when it breaks the protocol, so that no connection is lost over it.

    Nor a reply: a server that cannot read a frame cannot tell which one it refuses.
    """
    try:
        protocol.client_frame(frame)
        text = exact_json.encode(frame)
        protocol.frame_object(text)
    except Rejected as error:
        raise RequestRejected(error.code, error.told) from error
    return text


def refusal(frame: protocol.Error) -> RequestRejected:
    """The error that a refusal is for whoever asked."""
    kind = RateLimited if frame.code is ErrorCode.RATE_LIMITED else RequestRejected
    return kind(
        frame.code,
        frame.message,
        details=frame.details,
        retry_after_ms=frame.retry_after_ms,
        request_id=frame.request_id,
    )


def _named(frame: protocol.AnyServerFrame) -> str:
    return f"error {frame.code}: {frame.message}" if isinstance(frame, protocol.Error) else frame.type
