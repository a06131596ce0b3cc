"""The reply to each kind of client frame, within what the caller may see and do."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

from actions.context import Context
from actions.ending import called, returned
from actions.outcomes import Permanent, Retry, Stopped
from actions.registry import Action, Mode
from adapters.request_queue import Submission
from adapters.work_files import WorkFiles
from domain import protocol
from domain.commands import Source
from domain.errors import ErrorCode, InvalidFrame, NotFound, PayloadTooLarge, RateLimited, Rejected
from domain.identity import TENANT_WRITE, Identity
from domain.protocol import FRAME_LIMIT, AnyClientFrame, ServerFrame, client_frame
from domain.recorded import Head
from domain.subscription import authorized_topic, request_topic, subscription
from domain.validity import LONGEST_ADDRESS, as_text
from handlers import audit_trail, bootstrap, explaining, limits, readings, tenant_metrics, topics
from handlers.refusals import refusal


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the frame, over which socket, from where, and when; `cause` is the platform's id of it."""

    identity: Identity
    connection_id: str
    source_ip: str
    cause: str
    now: datetime


class Replies:
    """What one caller's frames are answered with."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._identity = caller.identity

    def to(self, frame: AnyClientFrame) -> ServerFrame:
        """The reply to a frame; a Rejected error when the rules forbid what it asks for."""
        match frame:
            case protocol.Submit():
                return self._submit(frame, frame.id)
            case protocol.SubmitBatch():
                return protocol.Acks(id=frame.id, items=[self._answered(item, frame.id) for item in frame.items])
            case protocol.Subscribe():
                return self._subscribe(frame)
            case protocol.Unsubscribe():
                topic = frame.topic or request_topic(frame.request_id or "")
                bootstrap.subscriptions().unsubscribe(topic, self._caller.connection_id)
                return protocol.Unsubscribed(id=frame.id)
            case protocol.Cancel():
                head = readings.request_for(self._identity, frame.request_id, TENANT_WRITE)
                head = bootstrap.queue().cancel(head, self._identity.user_id, frame.reason, self._source())
                return _ack(frame.id, head)
            case protocol.Get():
                return readings.get(frame, self._identity)
            case protocol.Explain():
                return explaining.explain(frame, self._identity)
            case protocol.History():
                return readings.history(frame, self._identity)
            case protocol.List():
                return readings.list_requests(frame, self._identity)
            case protocol.Metrics():
                return tenant_metrics.metrics_between(frame, self._identity)
            case protocol.Audit() | protocol.Actions():
                return self._told(frame)
            case protocol.Ping():
                return self._ping(frame)
            case _:
                assert_never(frame)

    def _answered(self, item: dict[str, Any], batch_id: str | None) -> dict[str, Any]:
        """The reply to an item of a batch; whatever is wrong with it is its reply, not that of the batch."""
        item_id = item["id"][:128] if isinstance(item.get("id"), str) else None
        try:
            frame = _item(item)
            return self._submit(frame, frame.id or batch_id).shown()
        except Rejected as exc:
            return refusal(exc, item_id, None).shown()
        except Exception:  # noqa: BLE001 - the items before it are taken in, and their replies must get to the client
            bootstrap.logger().exception("item failed", extra={"frame_id": batch_id})
            return protocol.Error(id=item_id, code=ErrorCode.INTERNAL_ERROR, message="Something went wrong").shown()

    def _submit(self, frame: protocol.Submit, correlation_id: str | None) -> ServerFrame:
        action = bootstrap.registry().get(frame.action)
        if action.scope is not None:
            self._identity.require(action.scope)
        payload = action.read(frame.payload)
        if action.mode is Mode.SYNC:
            _require_nothing_kept(frame)
            return protocol.Response(id=frame.id, data=self._run(action, payload))
        queue = bootstrap.queue()
        submission = Submission(
            tenant_id=self._identity.tenant_id,
            user_id=self._identity.user_id,
            action=frame.action,
            payload=frame.payload,
            max_attempts=frame.max_attempts or action.max_attempts,
            priority=frame.priority,
            delay=timedelta(seconds=frame.delay_s),
            timeout=None if frame.timeout_s is None else timedelta(seconds=frame.timeout_s),
            idempotency_key=frame.idempotency_key or frame.submission_id,
            connection_id=self._caller.connection_id,
            source_ip=self._source().source_ip,
            correlation_id=correlation_id or self._caller.cause,
            causation_id=self._caller.cause,
            metadata=frame.metadata,
        )
        request_id = queue.request_id(submission)
        self._require_room(request_id, is_new=submission.idempotency_key is None)
        if frame.subscribe:
            # Before the first event is appended, so that the fan-out of none can miss this watcher.
            self._watch(request_topic(request_id), correlation_id, seen=0, told=0)
        head, was_there = queue.enqueue(request_id, submission)
        about = {"request_id": request_id, "correlation_id": submission.correlation_id, "duplicate": was_there}
        bootstrap.logger().info("request taken in", extra=about)
        return _ack(frame.id, head, duplicate=was_there)

    def _require_room(self, request_id: str, *, is_new: bool) -> None:
        """RateLimited when the tenant's queue is full, but for a repeat of what is in it: that takes no room."""
        try:
            limits.require_room(self._identity.tenant_id)
        except RateLimited:
            if is_new or not bootstrap.queue().get(request_id).version:
                raise

    def _run(self, action: Action, payload: Any) -> Any:
        context = Context(
            request_id=self._caller.cause,
            tenant_id=self._identity.tenant_id,
            user_id=self._identity.user_id,
            attempt=1,
            now=self._caller.now,
            progress=_Unwatched(),
            views=bootstrap.tenant_views(self._identity.tenant_id),
            files=WorkFiles(bootstrap.objects, self._identity.tenant_id, self._identity.user_id, self._caller.cause, 1),
        )
        try:
            with bootstrap.THREADS.deadline(action.deadline):
                return returned(called(action, payload, context)).result
        except (Permanent, Retry, Stopped) as exc:
            raise InvalidFrame(str(exc)) from exc

    def _subscribe(self, frame: protocol.Subscribe) -> ServerFrame:
        if frame.topic is not None:
            topic = authorized_topic(frame.topic, self._identity)
            self._watch(topic, frame.id)
            return topics.subscribed(frame, topic, self._identity, self._caller.now)
        head = readings.request_for(self._identity, frame.request_id or "")
        if frame.after > head.version:
            raise InvalidFrame(f"after: the log ends at version {head.version}", request_id=head.request_id)
        # The row first, the log second: an event in between is in both, never in neither.
        self._watch(request_topic(head.request_id), frame.id, seen=frame.after, told=head.version)
        events, whole = readings.within_budget(bootstrap.events().read(head.request_id, frame.after))
        newest = Head.of(events[-1]) if events and whole else bootstrap.queue().get(head.request_id)
        return protocol.Subscribed(
            id=frame.id,
            request_id=head.request_id,
            version=newest.version,
            state=newest.state.public(),
            events=[event.shown() for event in events],
        )

    def _told(self, frame: protocol.Audit | protocol.Actions) -> ServerFrame:
        if isinstance(frame, protocol.Audit):
            return audit_trail.audit_trail(frame, self._identity)
        return readings.actions(frame, self._identity)

    def _ping(self, frame: protocol.Ping) -> ServerFrame:
        connection = bootstrap.connections().get(self._caller.connection_id, self._caller.now)
        if connection:
            bootstrap.connections().record_activity(connection, self._caller.now)
        return protocol.Pong(id=frame.id, at=self._caller.now)

    def _source(self) -> Source:
        address = as_text(self._caller.source_ip, LONGEST_ADDRESS) or None
        return Source(self._caller.connection_id, address, self._caller.cause)

    def _watch(self, topic: str, correlation_id: str | None, seen: int | None = None, told: int | None = None) -> None:
        made = subscription(
            topic,
            self._caller.connection_id,
            self._identity,
            self._caller.now,
            source_ip=self._caller.source_ip,
            correlation_id=correlation_id or self._caller.cause,
            causation_id=self._caller.cause,
            seen=seen,
            told=told,
        )
        bootstrap.subscriptions().subscribe(made)


def _item(item: dict[str, Any]) -> protocol.Submit:
    """The submit frame that an item of a batch is."""
    frame = client_frame({"type": "submit", **item})
    if not isinstance(frame, protocol.Submit):
        raise InvalidFrame("type: only submit frames come in a batch")
    if bootstrap.registry().get(frame.action).mode is Mode.SYNC:
        raise InvalidFrame(f"action: {frame.action} is synchronous and is not submitted in a batch")
    return frame


def _require_nothing_kept(frame: protocol.Submit) -> None:
    """InvalidFrame for what only a request in the log can promise: a synchronous action leaves nothing behind."""
    asked = {"idempotency_key": frame.idempotency_key, "delay_s": frame.delay_s, "timeout_s": frame.timeout_s}
    for name in (name for name, value in asked.items() if value):
        raise InvalidFrame(f"{name}: {frame.action} is synchronous, nothing of it is kept; submit it without")


class _Unwatched:
    """The Progress of a sync action: its caller waits for the answer, nobody watches."""

    def report(self, percent: float, message: str | None = None, details: object = None) -> None:
        """Nobody to tell."""

    def checkpoint(self, value: object) -> None:
        """Nobody to go on from it."""

    def output(self, chunk: object) -> None:
        """Nobody to hand it to."""

    def wait(self, seconds: float) -> None:
        """A sync action has no time to wait."""
        raise Permanent(f"a sync action cannot wait {seconds} s")


def bounded(reply: ServerFrame, frame_id: str | None) -> ServerFrame:
    """The reply, if it fits a frame."""
    if len(reply.encode().encode()) > FRAME_LIMIT:
        raise PayloadTooLarge("the answer does not fit a frame; ask for less", frame_id=frame_id)
    return reply


def _ack(frame_id: str | None, head: Head, *, duplicate: bool | None = None) -> protocol.Ack:
    if head.state.status is None:
        raise NotFound
    return protocol.Ack(
        id=frame_id, request_id=head.request_id, status=head.state.status, version=head.version, duplicate=duplicate
    )
