"""The client for programs without asyncio: the same names, and every call waits for its answer.

with StreamerClient(url, token=token) as client:
    handle = client.submit("generate_report", {"period": "day"})
    for update in handle:
        print(update.percent, update.type)
    print(handle.result())

The connection lives in a thread of its own, so it is kept while the program does other things. Several threads may
use one client.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from datetime import date, datetime
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

import client.handle
import client.streamer
import client.topic_watch
from client.batches import Submission
from client.connection import CLOSED
from client.errors import ClientError, ConnectionLost, RequestRejected
from client.streamer import Row
from client.typed import Kind, Timeout
from client.updates import State, Update
from domain.protocol import Ack, ActionShown, EventShown, Explanation, MetricsPage, Request
from domain.state import Status

Answer = TypeVar("Answer")


class _Portal:
    """A thread with a loop, and the way into it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._door = Lock()  # so that nothing comes in behind what closes it
        self._is_closed = False
        self._thread = Thread(target=self._live, name="streamer-client", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """What a coroutine gives, run in the thread; if the wait is interrupted it is given up."""
        with self._door:
            if self._is_closed:
                work.close()
                raise ConnectionLost(CLOSED)
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError as exc:  # by the end of the loop, for whoever waits in another thread
            raise ConnectionLost(CLOSED) from exc
        finally:
            future.cancel()

    def close(self) -> None:
        with self._door:
            self._is_closed = True
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def _live(self) -> None:
        # To its end in this thread: the caller's own may have a loop that runs, as a notebook's does.
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_closed())

    async def _until_closed(self) -> None:
        await self._closing.wait()


class _Feed:
    """Updates, one after the other."""

    def __init__(self, portal: _Portal, feed: client.handle.Handle | client.topic_watch.TopicWatch) -> None:
        self._portal = portal
        self._feed = feed

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Update:
        update = self._portal.run(self._next())
        if update is None:
            raise StopIteration
        return update

    def close(self) -> None:
        """Stop watching."""
        self._portal.run(self._feed.close())

    async def _next(self) -> Update | None:
        return await anext(self._feed, None)


class Handle(_Feed):
    """A request's updates, each once and in order; iterating ends after the final one."""

    def __init__(self, portal: _Portal, handle: client.handle.Handle) -> None:
        super().__init__(portal, handle)
        self._handle = handle

    @property
    def request_id(self) -> str:
        """Which request it is; empty for a synchronous action's answer."""
        return self._handle.request_id

    @property
    def version(self) -> int:
        """The version up to which everything was given out."""
        return self._handle.version

    @property
    def state(self) -> State | None:
        """The newest state that is known, None before any is."""
        return self._handle.state

    @property
    def error(self) -> ClientError | None:
        """Why no request is known that could be watched, if none is: the refusal, or why there was no answer."""
        return self._handle.error

    @property
    def refusal(self) -> RequestRejected | None:
        """Why the submission was refused, if it was: then there is no request."""
        return self._handle.refusal

    @overload
    def result(self, kind: None = None, *, within: Timeout = None) -> Any: ...

    @overload
    def result(self, kind: type[Kind], *, within: Timeout = None) -> Kind: ...

    def result(self, kind: type[Kind] | None = None, *, within: Timeout = None) -> Any:
        """What the request results in, once it has ended; the errors are those of the asynchronous handle."""
        handle = self._handle
        return self._portal.run(handle.result(within=within) if kind is None else handle.result(kind, within=within))

    def cancel(self, reason: str | None = None) -> Ack:
        """Ask the request to stop; a running one decides itself when, and its updates tell."""
        return self._portal.run(self._handle.cancel(reason))


class TopicWatch(_Feed):
    """All updates of a topic's requests, from its subscription on."""

    def __init__(self, portal: _Portal, watch: client.topic_watch.TopicWatch) -> None:
        super().__init__(portal, watch)
        self.topic = watch.topic
        self.requests = watch.requests


class StreamerClient:
    """A client of one user; the arguments are those of the asynchronous one."""

    def __init__(self, url: str, **options: Any) -> None:
        self._client = client.streamer.StreamerClient(url, **options)
        self._portal: _Portal | None = None

    def __enter__(self) -> Self:
        portal = _Portal()
        try:
            portal.run(self._client.__aenter__())
        except BaseException:
            portal.close()
            raise
        self._portal = portal
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        portal = self._inside
        try:
            portal.run(self._client.__aexit__(kind, error, trace))
        finally:
            portal.close()

    def submit(self, action: str, payload: Any = None, **options: Any) -> Handle:
        """Ask for work and watch it. The same key gives the same request; a synchronous action's handle has ended."""
        portal = self._inside
        return Handle(portal, portal.run(self._client.submit(action, payload, **options)))

    def submit_many(self, submissions: Iterable[Submission]) -> Sequence[Handle]:
        """Ask for much work in few frames: a handle for each submission, in their order."""
        portal = self._inside
        return [Handle(portal, handle) for handle in portal.run(self._client.submit_many(submissions))]

    @overload
    def call(
        self, action: str, payload: Any = None, kind: None = None, *, within: Timeout = None, **options: Any
    ) -> Any: ...

    @overload
    def call(self, action: str, payload: Any, kind: type[Kind], *, within: Timeout = None, **options: Any) -> Kind: ...

    def call(
        self,
        action: str,
        payload: Any = None,
        kind: type[Kind] | None = None,
        *,
        within: Timeout = None,
        **options: Any,
    ) -> Any:
        """The result of an action, as a kind if one is given; the other options are those of `submit`."""
        handle = self.submit(action, payload, **options)
        return handle.result(within=within) if kind is None else handle.result(kind, within=within)

    def subscribe(self, request_id: str, after: int = 0) -> Handle:
        """Watch a request from after a version on."""
        portal = self._inside
        return Handle(portal, portal.run(self._client.subscribe(request_id, after)))

    def watch_topic(self, topic: str) -> TopicWatch:
        """Watch all requests of a user (`user#TENANT#USER`) or, with the scope, of a tenant (`tenant#TENANT`)."""
        portal = self._inside
        return TopicWatch(portal, portal.run(self._client.watch_topic(topic)))

    def cancel(self, request_id: str, reason: str | None = None) -> Ack:
        """Ask a request to stop."""
        return self._inside.run(self._client.cancel(request_id, reason))

    def get(self, request_id: str, at_version: int | None = None, *, at: datetime | None = None) -> Request:
        """A request's state and result now, or its state as it was at a version or at an instant."""
        return self._inside.run(self._client.get(request_id, at_version, at=at))

    def explain(self, request_id: str) -> Explanation:
        """Why a request is where it is."""
        return self._inside.run(self._client.explain(request_id))

    def history(self, request_id: str, after: int = 0) -> Sequence[EventShown]:
        """Every event of a request after a version."""
        return self._inside.run(self._client.history(request_id, after))

    def metrics(
        self,
        start: datetime,
        end: datetime,
        action: str | None = None,
        resolution: Literal["minute", "hour", "day"] | None = None,
    ) -> MetricsPage:
        """The tenant's counts from start until end, their totals, and what there is now."""
        return self._inside.run(self._client.metrics(start, end, action, resolution))

    def audit(
        self, *, day: date | None = None, request_id: str | None = None, user_id: str | None = None
    ) -> Sequence[Row]:
        """Who did what: on a UTC day across the tenant or by one user of it, or to one request."""
        return self._inside.run(self._client.audit(day=day, request_id=request_id, user_id=user_id))

    def list(
        self, *, status: Status | None = None, scope: Literal["own", "tenant"] = "own", limit: int = 20
    ) -> Sequence[Mapping[str, Any]]:
        """The newest requests, one's own or with the scope the tenant's."""
        return self._inside.run(self._client.list(status=status, scope=scope, limit=limit))

    def actions(self) -> Sequence[ActionShown]:
        """The actions that this user may submit, each with the JSON schema of its payload."""
        return self._inside.run(self._client.actions())

    def ping(self) -> datetime:
        """The server's time: the connection is alive."""
        return self._inside.run(self._client.ping())

    @property
    def _inside(self) -> _Portal:
        if self._portal is None:
            raise RuntimeError("use the client in a `with` block")
        return self._portal
