"""StreamerClient: the way in. Submits requests, watches them without a gap across reconnects, and reads the views.

async with StreamerClient(url, token=token) as client:
    handle = await client.submit("generate_report", {"period": "day"})
    async for update in handle:
        print(update.percent, update.type)
    print(await handle.result())
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Literal, Self, overload

from client.backoff import Backoff
from client.batches import Submission, answers, batches
from client.connection import Connection, Settings
from client.credentials import Credentials, Provider, Token
from client.errors import ClientError, RequestRejected, UnreadableReply
from client.handle import Handle
from client.repairs import Repairs, expect
from client.topic_watch import TopicWatch
from client.turns import Turns
from client.typed import Kind, Timeout
from client.updates import events_of
from client.vigil import keep_vigil
from client.watching import Watching, left_on_failure
from domain import protocol
from domain.instant import to_text
from domain.protocol import (
    Ack,
    Acks,
    ActionShown,
    ActionsPage,
    AuditPage,
    EventShown,
    Explanation,
    HistoryPage,
    MetricsPage,
    Pong,
    Request,
    Requests,
    Response,
)
from domain.state import Status

_PAGE: Final = 200
Row = Mapping[str, Any]


class StreamerClient:
    """A client of one user.

    token: a JWT, or a function, plain or async, that gives one for each connect.   ticket: instead of it, a function
    that gives a one-use ticket.   Without a function, the connection ends for good when its token does.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token | None = None,
        ticket: Provider | None = None,
        backoff: Backoff | None = None,
        heartbeat: timedelta = timedelta(minutes=5),
        lifetime: timedelta = timedelta(minutes=110),
        reply_timeout: timedelta = timedelta(seconds=30),
    ) -> None:
        settings = Settings(
            url=url,
            credentials=Credentials(token, ticket),
            backoff=backoff or Backoff(),
            heartbeat=heartbeat,
            lifetime=lifetime,
            reply_timeout=reply_timeout,
        )
        self._repairs = Repairs(self._ask, settings.backoff)
        self._watching = Watching(self._ask, self._repairs, lambda: self._connection.is_connected)
        self._connection = Connection(settings, self._watching)
        self._turns = Turns(self._connection.ask, settings.backoff)
        self._sleep = settings.backoff.sleep
        self._vigil: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._vigil is not None:
            raise RuntimeError("a client is entered once: make another one")
        await self._connection.open()
        self._vigil = asyncio.create_task(keep_vigil(self._watching.tick, self._sleep))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._vigil is not None:
            self._vigil.cancel()
            await asyncio.wait((self._vigil,))
        await self._connection.close()

    async def submit(
        self,
        action: str,
        payload: Any = None,
        *,
        idempotency_key: str | None = None,
        priority: int | None = None,
        delay_s: int | None = None,
        timeout_s: int | None = None,
        max_attempts: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Handle:
        """Ask for work and watch it. The same key gives the same request; a synchronous action's handle has ended."""
        submission = Submission(
            action=action,
            payload=payload,
            idempotency_key=idempotency_key,
            priority=priority,
            delay_s=delay_s,
            timeout_s=timeout_s,
            max_attempts=max_attempts,
            metadata=metadata,
        )
        return await self._submitted(submission.frame())

    async def submit_many(self, submissions: Iterable[Submission]) -> Sequence[Handle]:
        """Ask for much work in few frames, and watch it: a handle for each submission, in their order.

        The handle of one that was refused has ended: its `result()` raises the RequestRejected that tells why. The
        others are not concerned. Synchronous actions are refused: submit those one by one.

        When a frame is not answered, the rest is not sent, and the handles of all these have ended with the error; if
        it is the first frame, the error is raised. Whether its submissions were taken in is not known: with an
        idempotency key they can be submitted again.
        """
        handles: list[Handle] = []
        frames = [submission.frame() for submission in submissions]
        with left_on_failure(handles):
            for batch in batches(frames):
                try:
                    handles += await self._submitted_batch(batch)
                except ClientError as error:
                    if not handles:
                        raise
                    handles += [self._watching.without_request(error) for _ in frames[len(handles) :]]
                    break
        return handles

    @overload
    async def call(
        self, action: str, payload: Any = None, kind: None = None, *, within: Timeout = None, **options: Any
    ) -> Any: ...

    @overload
    async def call(
        self, action: str, payload: Any, kind: type[Kind], *, within: Timeout = None, **options: Any
    ) -> Kind: ...

    async def call(
        self,
        action: str,
        payload: Any = None,
        kind: type[Kind] | None = None,
        *,
        within: Timeout = None,
        **options: Any,
    ) -> Any:
        """The result of an action, as a kind if one is given; the other options are those of `submit`."""
        handle = await self.submit(action, payload, **options)
        return await (handle.result(within=within) if kind is None else handle.result(kind, within=within))

    async def subscribe(self, request_id: str, after: int = 0) -> Handle:
        """Watch a request from after a version on."""
        handle = self._watching.handle(request_id, after)
        with left_on_failure([handle]):
            await handle.catch_up()
        return handle

    async def watch_topic(self, topic: str) -> TopicWatch:
        """Watch all requests of a user (`user#TENANT#USER`) or, with the scope, of a tenant (`tenant#TENANT`)."""
        watch = self._watching.topic(topic)
        with left_on_failure([watch]):
            await watch.subscribe()
        return watch

    async def cancel(self, request_id: str, reason: str | None = None) -> Ack:
        """Ask a request to stop."""
        return expect(await self._ask({"type": "cancel", "request_id": request_id, "reason": reason}), Ack)

    async def get(self, request_id: str, at_version: int | None = None, *, at: datetime | None = None) -> Request:
        """A request's state and result now, or its state as it was at a version or at an instant."""
        frame = {"type": "get", "request_id": request_id, "at_version": at_version, "at": to_text(at) if at else None}
        return expect(await self._ask(frame), Request)

    async def explain(self, request_id: str) -> Explanation:
        """Why a request is where it is."""
        return expect(await self._ask({"type": "explain", "request_id": request_id}), Explanation)

    async def history(self, request_id: str, after: int = 0) -> Sequence[EventShown]:
        """Every event of a request after a version."""
        events: list[EventShown] = []
        following: int | None = after
        while following is not None:
            frame = {"type": "history", "request_id": request_id, "after": following, "limit": _PAGE}
            page = expect(await self._ask(frame), HistoryPage)
            events += events_of(page)
            if page.next is not None and page.next <= following:
                raise UnreadableReply("a page of `history` that leads back")
            following = page.next
        return events

    async def metrics(
        self,
        start: datetime,
        end: datetime,
        action: str | None = None,
        resolution: Literal["minute", "hour", "day"] | None = None,
    ) -> MetricsPage:
        """The tenant's counts from start until end, their totals, and what there is now."""
        frame = {"type": "metrics", "from": to_text(start), "to": to_text(end), "action": action}
        return expect(await self._ask({**frame, "resolution": resolution}), MetricsPage)

    async def audit(
        self, *, day: date | None = None, request_id: str | None = None, user_id: str | None = None
    ) -> Sequence[Row]:
        """Who did what: on a UTC day across the tenant or by one user of it, or to one request."""
        on = None if day is None else day.isoformat()
        frame = {"type": "audit", "day": on, "request_id": request_id, "user_id": user_id}
        return await self._items(frame, AuditPage, None)

    async def list(
        self, *, status: Status | None = None, scope: Literal["own", "tenant"] = "own", limit: int = 20
    ) -> Sequence[Row]:
        """The newest requests, one's own or with the scope the tenant's."""
        return await self._items({"type": "list", "status": status, "scope": scope}, Requests, limit)

    async def actions(self) -> Sequence[ActionShown]:
        """The actions that this user may submit, each with the JSON schema of its payload."""
        return expect(await self._ask({"type": "actions"}), ActionsPage).items

    async def ping(self) -> datetime:
        """The server's time: the connection is alive."""
        return expect(await self._ask({"type": "ping"}), Pong).at

    async def _submitted(self, frame: Row) -> Handle:
        with self._watching.expecting():
            reply = await self._ask(frame)
            if isinstance(reply, Response):
                return self._watching.answered(reply)
            ack = expect(reply, Ack)
            handle = self._watching.handle(ack.request_id)
        if ack.duplicate:
            with left_on_failure([handle]):
                await handle.catch_up()
        return handle

    async def _submitted_batch(self, batch: Sequence[Row]) -> Sequence[Handle]:
        with self._watching.expecting():
            try:
                replies = answers(expect(await self._ask({"type": "submit_batch", "items": batch}), Acks), batch)
            except RequestRejected as refused:
                replies = [refused for _ in batch]
            handles = [
                self._watching.without_request(reply)
                if isinstance(reply, RequestRejected)
                else self._watching.handle(reply.request_id)
                for reply in replies
            ]
        for handle, reply in zip(handles, replies, strict=True):
            if isinstance(reply, Ack) and reply.duplicate:
                handle.resume()
        return handles

    async def _items(self, frame: Row, kind: type[AuditPage | Requests], limit: int | None) -> Sequence[Row]:
        items: list[Row] = []
        cursor: str | None = None
        while limit is None or len(items) < limit:
            wanted = _PAGE if limit is None else min(_PAGE, limit - len(items))
            page = expect(await self._ask({**frame, "limit": wanted, "cursor": cursor}), kind)
            items.extend(page.items)
            if page.cursor is None:
                break
            if page.cursor == cursor:
                raise UnreadableReply(f"a page of `{page.type}` that leads to itself")
            cursor = page.cursor
        return items

    async def _ask(self, frame: Row) -> protocol.AnyServerFrame:
        """The reply to a frame, sent without the fields that have no value."""
        if self._vigil is None:
            raise RuntimeError("use the client in an `async with` block")
        return await self._turns.ask({name: value for name, value in frame.items() if value is not None})
