"""API Gateway's WebSockets: sockets that open, break and fall silent, and the management API that posts to them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosedError

from domain.protocol import FRAME_LIMIT
from tests.simulation.dynamodb import Way
from tests.simulation.faults import Faults
from tests.simulation.time_machine import Machine

LARGEST_MESSAGE: Final = 128 * 1024
LARGEST_PIECE: Final = 32 * 1024

Frame = Callable[["Socket", str], Coroutine[Any, Any, None]]
Attempted = Callable[..., None]


@dataclass(slots=True, eq=False)
class Socket:
    """A socket from both sides: the client's object, and what API Gateway knows of it."""

    connection_id: str
    authorizer: dict[str, str]
    gateway: "Gateway"
    inbox: "asyncio.Queue[str | None]" = field(default_factory=asyncio.Queue)
    client_open: bool = True
    gone_at: float = float("inf")  # from when on API Gateway knows that it has closed
    last_at: float = 0.0  # when the newest frame arrives: the next one is later, unless it overtakes

    async def send(self, message: str | Iterable[str]) -> None:
        """Send a frame, whole or in pieces, as the client does."""
        if not self.client_open:
            raise ConnectionClosedError(None, None)
        pieces = [message] if isinstance(message, str) else list(message)
        assert max(len(piece.encode()) for piece in pieces) <= LARGEST_PIECE
        await self.gateway.received(self, "".join(pieces))

    async def close(self) -> None:
        """Hang up, as the client does."""
        self.drop(known=True)

    def drop(self, *, known: bool) -> None:
        """End it. When nobody said goodbye, API Gateway notices later."""
        if not self.client_open:
            return
        self.client_open = False
        self.inbox.put_nowait(None)
        self.gateway.closed(self, known=known)

    async def __aiter__(self) -> AsyncIterator[str]:
        while True:
            text = await self.inbox.get()
            if text is None:
                return
            yield text


class Gateway:
    """Every socket, and boto3's client for them."""

    def __init__(
        self, machine: Machine, faults: Faults, way: Way, frame: Frame, left: Callable[[Socket], None]
    ) -> None:
        self._machine = machine
        self._faults = faults
        self._way = way
        self._frame = frame
        self._left = left
        self._numbers = iter(range(1, 1_000_000))
        self.sockets: dict[str, Socket] = {}
        self.attempted: Attempted = lambda *_, **__: None
        self.frames = 0
        self.tasks: set[asyncio.Task[None]] = set()

    def new(self, authorizer: dict[str, str]) -> Socket:
        """A socket that is about to open."""
        return Socket(f"c{next(self._numbers)}-{self._faults.rng.getrandbits(32):08x}", authorizer, self)

    def opened(self, socket: Socket) -> None:
        """Let it be posted to: $connect has returned."""
        self.sockets[socket.connection_id] = socket

    def closed(self, socket: Socket, *, known: bool) -> None:
        """Forget it, at once or when API Gateway notices."""
        after = 0.0 if known else self._faults.between(0, 30)
        socket.gone_at = self._machine.now + after
        if not self._faults.strikes("disconnect_lost"):
            self._machine.loop.call_later(after, self._left, socket)

    async def received(self, socket: Socket, text: str) -> None:
        """A frame of a client: a function answers it, at some time, in no order."""
        assert len(text.encode()) <= FRAME_LIMIT
        if self._faults.strikes("frame_lost"):
            return
        for _ in range(2 if self._faults.strikes("frame_doubled") else 1):
            self.frames += 1
            task = self._machine.loop.create_task(self._frame(socket, text))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    # --- the client of the management API ----------------------------------------------------------------------------

    def post_to_connection(self, ConnectionId: str, Data: bytes) -> dict[str, Any]:  # noqa: N803
        """PostToConnection."""
        try:
            answer = self._way.call("sockets", "post_to_connection", lambda: self._post(ConnectionId, Data))
        except BaseException:
            self.attempted(ConnectionId, Data.decode(), arrived=False)
            raise
        self.attempted(ConnectionId, Data.decode(), arrived=True)
        return answer

    def delete_connection(self, ConnectionId: str) -> dict[str, Any]:  # noqa: N803
        """DeleteConnection."""
        return self._way.call("sockets", "delete_connection", lambda: self._delete(ConnectionId))

    async def asked(self, connection_id: str, data: bytes) -> int:
        """The status that a post over a line of its own is answered with."""
        if self._faults.strikes("socket_slow"):
            await asyncio.sleep(self._faults.between(0.2, 0.9))
        try:
            self._take(connection_id, data)
        except ClientError as exc:
            return int(exc.response["ResponseMetadata"]["HTTPStatusCode"])
        return 200

    def _post(self, connection_id: str, data: bytes) -> dict[str, Any]:
        if self._faults.strikes("socket_slow"):
            self._machine.sleep(self._faults.between(0.2, 0.9))
        return self._take(connection_id, data)

    def _take(self, connection_id: str, data: bytes) -> dict[str, Any]:
        socket = self._known(connection_id, "PostToConnection")
        if len(data) > LARGEST_MESSAGE:
            raise _error("PayloadTooLargeException", "PostToConnection", 413)
        if self._faults.strikes("socket_full"):
            raise _error("LimitExceededException", "PostToConnection", 429)
        if not socket.client_open or self._faults.strikes("push_lost"):
            return {}  # taken, and gone
        for _ in range(2 if self._faults.strikes("push_doubled") else 1):
            self._arrive(socket, data.decode())
        return {}

    def _arrive(self, socket: Socket, text: str) -> None:
        at = self._machine.now + self._faults.between(0.002, 0.03)
        if self._faults.strikes("push_reordered"):
            at += self._faults.between(0.02, 2.0)
        else:
            socket.last_at = at = max(at, socket.last_at)
        self._machine.loop.call_at(at, self._give, socket, text)

    @staticmethod
    def _give(socket: Socket, text: str) -> None:
        if socket.client_open:
            socket.inbox.put_nowait(text)

    def _delete(self, connection_id: str) -> dict[str, Any]:
        self._known(connection_id, "DeleteConnection").drop(known=True)
        return {}

    def _known(self, connection_id: str, operation: str) -> Socket:
        socket = self.sockets.get(connection_id)
        if socket is None or self._machine.now >= socket.gone_at:
            self._faults.fired["socket_gone"] += 1
            raise _error("GoneException", operation, 410)
        return socket


def _error(code: str, operation: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "made up"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)
