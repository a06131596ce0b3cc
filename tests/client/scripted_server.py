"""A server on real sockets that speaks the protocol from logs in memory; the test decides what is pushed and lost."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from domain import exact_json
from domain.instant import EPOCH, to_text

STATUS = {
    "RequestSubmitted": "PENDING",
    "AttemptStarted": "PROCESSING",
    "RequestCompleted": "COMPLETED",
    "RequestFailed": "FAILED",
    "RequestCancelled": "CANCELLED",
}
Frame = dict[str, Any]
Script = Callable[[Frame, ServerConnection], Any]


class ScriptedServer:
    """`on[type]` replaces the reply to frames of a type; a script that gives None leaves the frame unanswered."""

    def __init__(self) -> None:
        self.logs: dict[str, list[Frame]] = {}
        self.by_key: dict[str, str] = {}
        self.frames: list[Frame] = []
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[str] = []
        self.refusals: list[int] = []
        self.refuse_all: int | None = None
        self.files: dict[str, str] = {}
        self.on: dict[str, Script] = {}
        self.sockets: set[ServerConnection] = set()
        self._events = 0
        self._changed = asyncio.Condition()
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._greet,
            compression=None,
            max_size=(128 * 1024, 32 * 1024),  # of a message and of each of its frames, as with API Gateway
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.kill()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"ws://{host}:{port}/stage"

    # --- what the test does -------------------------------------------------------------------------------------

    def append(self, request_id: str, *types: str, **data: Any) -> int:
        """Add events to a request's log, each with the data; the newest version."""
        log = self.logs.setdefault(request_id, [])
        for name in types:
            self._events += 1
            log.append({"version": len(log) + 1, "type": name, "at": self.now(), "data": data})
        return len(log)

    def now(self) -> str:
        """The instant of the newest event: its number since the start, as seconds."""
        return to_text(EPOCH + timedelta(seconds=self._events))

    def progress(self, request_id: str, *percents: int) -> int:
        """Add progress to a request's log; the newest version."""
        for percent in percents:
            self.append(request_id, "ProgressReported", percent=percent)
        return len(self.logs[request_id])

    def item(self, request_id: str, from_version: int, version: int | None = None) -> Frame:
        """The push that covers a range of versions."""
        version = version or from_version
        event = self.logs[request_id][version - 1]
        state = self.state(request_id, version)
        return {
            "user_id": "ann",
            "request_id": request_id,
            "from_version": from_version,
            "version": version,
            "event": event,
            "state": state,
        }

    async def push(self, request_id: str, from_version: int, version: int | None = None) -> None:
        """Push a range of versions to everybody, in a frame of its own."""
        await self.send({"type": "event", **self.item(request_id, from_version, version)})

    async def send(self, frame: Frame | str | bytes) -> None:
        """Send a frame to everybody."""
        text = exact_json.encode(frame) if isinstance(frame, dict) else frame
        for socket in list(self.sockets):
            await socket.send(text)

    def kill(self) -> None:
        """Cut all sockets, without a farewell."""
        for socket in self.sockets:
            socket.transport.abort()

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until a condition of this server holds; it is looked at after every connect, frame and cut."""
        async with self._changed:
            await self._changed.wait_for(condition)

    def received(self, kind: str) -> list[Frame]:
        """The frames of a type that came, without their ids."""
        return [
            {name: value for name, value in frame.items() if name not in ("id", "type")}
            for frame in self.frames
            if frame["type"] == kind
        ]

    def state(self, request_id: str, version: int) -> Frame:
        """A request's state at a version."""
        log = self.logs[request_id]
        state: Frame = {"status": None, "attempt": 0, "percent": 0.0, "submitted_at": log[0]["at"]}
        state["updated_at"] = log[version - 1]["at"] if version else log[0]["at"]
        for event in self.logs[request_id][:version]:
            state["status"] = STATUS.get(event["type"], state["status"])
            state |= {name: event["data"][name] for name in ("percent", "error") if name in event["data"]}
        return state

    # --- what the protocol says ---------------------------------------------------------------------------------

    async def _greet(self, connection: ServerConnection, request: Request) -> Response | None:
        self.headers.append(dict(request.headers.raw_items()))
        self.paths.append(request.path)
        if request.path in self.files:
            return connection.respond(HTTPStatus.OK, self.files[request.path])
        status = self.refuse_all or (self.refusals.pop(0) if self.refusals else None)
        async with self._changed:
            self._changed.notify_all()
        return None if status is None else connection.respond(HTTPStatus(status), "no\n")

    async def _serve(self, socket: ServerConnection) -> None:
        self.sockets.add(socket)
        try:
            async for text in socket:
                frame = exact_json.decode(text)
                self.frames.append(frame)
                script = self.on.get(frame["type"]) or getattr(self, f"_{frame['type']}")
                reply = script(frame, socket)
                reply = await reply if asyncio.iscoroutine(reply) else reply
                if reply is not None:
                    await socket.send(exact_json.encode({**reply, "id": frame["id"]}))
                async with self._changed:
                    self._changed.notify_all()
        except ConnectionClosed:
            pass  # as the test wants it
        finally:
            self.sockets.discard(socket)
            async with self._changed:
                self._changed.notify_all()

    def _submit(self, frame: Frame, _: ServerConnection) -> Frame:
        if frame["action"] == "echo":
            return {"type": "response", "data": frame.get("payload")}
        # A server cannot recognise a submit without a key.
        key = frame.get("idempotency_key") or frame.get("submission_id") or f"none-{len(self.frames)}"
        known = key in self.by_key
        request_id = self.by_key.setdefault(key, f"r{len(self.by_key) + 1}")
        if not known:
            self.append(request_id, "RequestSubmitted", action=frame["action"])
        version = len(self.logs[request_id])
        status = self.state(request_id, version)["status"]
        return {"type": "ack", "request_id": request_id, "status": status, "version": version, "duplicate": known}

    def _submit_batch(self, frame: Frame, socket: ServerConnection) -> Frame:
        return {"type": "acks", "items": [self._submit(item, socket) for item in frame["items"]]}

    def _subscribe(self, frame: Frame, _: ServerConnection) -> Frame:
        if "topic" in frame:
            return self._subscribe_topic(frame)
        request_id = frame["request_id"]
        if request_id not in self.logs:
            return error("NOT_FOUND", "No such request")
        log = self.logs[request_id]
        return {
            "type": "subscribed",
            "request_id": request_id,
            "version": len(log),
            "state": self.state(request_id, len(log)),
            "events": log[frame.get("after", 0) :],
        }

    def _subscribe_topic(self, frame: Frame) -> Frame:
        """Of every request: `at` is the number of events so far, as seconds, and each event's `at` its number."""
        since = frame.get("since")
        rows: list[Frame] = [
            {"request_id": name, "user_id": "ann", "version": len(log)}
            for name, log in self.logs.items()
            if since is None or log[-1]["at"] >= since
        ]
        if since is None:  # what changed is told without
            rows = [{**row, "state": self.state(row["request_id"], row["version"])} for row in rows]
        return {"type": "subscribed", "topic": frame["topic"], "requests": rows, "at": self.now()}

    def _unsubscribe(self, _: Frame, __: ServerConnection) -> Frame:
        return {"type": "unsubscribed"}

    def _cancel(self, frame: Frame, _: ServerConnection) -> Frame:
        version = self.append(frame["request_id"], "RequestCancelled", by="ann", reason=frame.get("reason"))
        return {"type": "ack", "request_id": frame["request_id"], "status": "CANCELLED", "version": version}

    def _get(self, frame: Frame, _: ServerConnection) -> Frame:
        version = frame.get("at_version") or len(self.logs[frame["request_id"]])
        state = self.state(frame["request_id"], version)
        return {"type": "request", "request_id": frame["request_id"], "version": version, "state": state, "result": 42}

    def _history(self, frame: Frame, _: ServerConnection) -> Frame:
        if frame["request_id"] not in self.logs:
            return error("NOT_FOUND", "No such request")
        log = self.logs[frame["request_id"]]
        page = log[frame["after"] :][:2]
        more = page and page[-1]["version"] < len(log)
        following = {"next": page[-1]["version"]} if more else {}
        where = {"version": len(log), "state": self.state(frame["request_id"], len(log))}
        return {"type": "history", "request_id": frame["request_id"], "events": page, **following, **where}

    def _ping(self, _: Frame, __: ServerConnection) -> Frame:
        return {"type": "pong", "at": to_text(EPOCH)}


def error(code: str, message: str, **more: Any) -> Frame:
    """An error frame."""
    return {"type": "error", "code": code, "message": message, **more}


HELD = {10.0, 15.0, 300.0, 6600.0}  # the ticks of the vigil and of the look at the wall, heartbeats, lifetimes


class ManualClock:
    """Lets back-off pass at once and remembers it; what the client does by the clock it does when the test says so."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._sleepers: dict[float, asyncio.Queue[asyncio.Event]] = {}

    async def sleep(self, seconds: float) -> None:
        """Stand in for asyncio.sleep."""
        if seconds not in HELD:
            self.waits.append(seconds)
            await asyncio.sleep(0)
            return
        wake = asyncio.Event()
        self._who_sleeps(seconds).put_nowait(wake)
        await wake.wait()

    async def let_pass(self, seconds: float) -> None:
        """Wake the first who sleeps for so long, as soon as somebody does."""
        wake = await self._who_sleeps(seconds).get()
        wake.set()

    def _who_sleeps(self, seconds: float) -> "asyncio.Queue[asyncio.Event]":
        return self._sleepers.setdefault(seconds, asyncio.Queue())
