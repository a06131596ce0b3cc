"""The replies that only read: a request's state and history, lists of requests, and the actions."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from actions.registry import Registry
from adapters.request_view import RequestRow, cursor_after
from domain import exact_json, protocol
from domain.errors import NotFound
from domain.identity import TENANT_READ, Identity
from domain.recorded import Head, RecordedEvent
from handlers import bootstrap

EVENTS_BUDGET: Final = 96 * 1024  # bytes of events in one reply; the client asks on from the last one
LIST_BUDGET: Final = 96 * 1024  # bytes of requests, or of entries of the audit trail, in one reply


def request_for(identity: Identity, request_id: str, scope: str = TENANT_READ) -> Head:
    """The request, if the caller may do with it what the scope says."""
    head = bootstrap.queue().get(request_id)
    if head.origin is None:
        raise NotFound
    identity.require_access(head.origin.tenant_id, head.origin.user_id, scope)
    return head


def get(frame: protocol.Get, identity: Identity) -> protocol.Request:
    """A request as it is, or as it was at a version or at an instant."""
    head = request_for(identity, frame.request_id)
    if frame.at_version is not None:
        head = Head.of(bootstrap.events().get(head.request_id, frame.at_version))
    elif frame.at is not None:
        head = _at(head.request_id, frame.at)
    result, reference = bootstrap.queue().kept_result(head)
    return protocol.Request(
        id=frame.id,
        request_id=head.request_id,
        version=head.version,
        state=head.state.public(),
        result=result,
        result_url=bootstrap.objects().link(reference) if reference else None,
    )


def _at(request_id: str, instant: datetime) -> Head:
    try:
        return Head.of(bootstrap.events().at(request_id, instant))
    except NotFound as exc:
        raise NotFound("it had not been submitted by then", request_id=request_id) from exc


def history(frame: protocol.History, identity: Identity) -> protocol.HistoryPage:
    """A request's events after a version."""
    head = request_for(identity, frame.request_id)
    events, _ = within_budget(bootstrap.events().read(head.request_id, frame.after, frame.limit))
    last = events[-1].version if events else head.version
    if last > head.version:  # appended meanwhile: the newest event tells the state that goes with it
        head = Head.of(events[-1])
    return protocol.HistoryPage(
        id=frame.id,
        request_id=head.request_id,
        events=[event.shown() for event in events],
        next=last if last < head.version else None,
        version=head.version,
        state=head.state.public(),
    )


def list_requests(frame: protocol.List, identity: Identity) -> protocol.Requests:
    """The caller's requests, or with the scope the tenant's, newest first."""
    if frame.scope == "tenant":
        identity.require(TENANT_READ)
        page = bootstrap.queue().list_by_tenant(identity.tenant_id, frame.limit, frame.cursor, frame.status)
    else:
        page = bootstrap.queue().list_by_user(
            identity.tenant_id, identity.user_id, frame.limit, frame.cursor, frame.status
        )
    items = shown(page.rows)
    cursor = page.cursor if len(items) == len(page.rows) else cursor_after(page.rows[len(items) - 1])
    return protocol.Requests(id=frame.id, items=items, cursor=cursor)


def shown(rows: Iterable[RequestRow]) -> list[dict[str, Any]]:
    """As many of the requests as fit a reply, at least one."""
    items: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        item = {"request_id": row.request_id, "user_id": row.user_id, "version": row.version}
        item["state"] = row.state.public()
        size += len(exact_json.encode(item).encode())
        if items and size > LIST_BUDGET:
            break
        items.append(item)
    return items


def actions(frame: protocol.Actions, identity: Identity) -> protocol.ActionsPage:
    """The actions that the caller may submit; one that cannot be loaded or has no schema is not among them."""
    items = [shown for shown in _shown(bootstrap.registry()) if shown.scope is None or shown.scope in identity.scopes]
    return protocol.ActionsPage(id=frame.id, items=items)


def _shown(registry: Registry) -> Iterator[protocol.ActionShown]:
    for name in registry.names():
        try:
            action = registry.get(name)
            shown = protocol.ActionShown(
                name=action.name,
                mode=action.mode.value,
                description=action.description,
                scope=action.scope,
                input_schema=action.input_schema(),
            )
        except Exception:  # noqa: BLE001 - a module may raise anything, and the others can be submitted
            bootstrap.logger().exception("action not shown", extra={"action": name})
        else:
            yield shown


def within_budget(events: Iterable[RecordedEvent]) -> tuple[list[RecordedEvent], bool]:
    """As many of the events as fit a reply, at least one, and whether they are all."""
    taken: list[RecordedEvent] = []
    size = 0
    for event in events:
        size += len(event.data.encode()) + len(event.state.encode())
        if taken and size > EVENTS_BUDGET:
            return taken, False
        taken.append(event)
    return taken, True
