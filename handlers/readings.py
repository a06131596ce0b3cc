"""The replies that only read: a request's state and history, lists, metrics and the audit trail."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from actions.registry import Action, Registry
from adapters.request_view import RequestRow, cursor_after
from adapters.tenant_views import TenantViews
from domain import exact_json, protocol
from domain.errors import InvalidFrame, NotFound
from domain.identity import TENANT_READ, Identity
from domain.instant import from_text, to_text
from domain.recorded import Head, RecordedEvent
from handlers import bootstrap
from projections import audit, gauges, histogram, metrics

EVENTS_BUDGET: Final = 96 * 1024  # bytes of events in one reply; the client asks on from the last one
MOST_ROWS: Final = 100  # of counts, up to 900 bytes each
# Rows of counts, of a minute each, for an answer, and once more for the gauges: each 215 us of a core, of which
# the function has 0.29, so some 8 s. A week has 10,080 minutes.
MOST_READ: Final = 11_000
LIST_BUDGET: Final = 96 * 1024  # bytes of requests, or of entries of the audit trail, in one reply
LONGEST_PERIOD: Final = timedelta(days=31)
_MINUTE: Final = timedelta(minutes=1)


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


def metrics_between(frame: protocol.Metrics, identity: Identity) -> protocol.MetricsPage:
    """The tenant's counts, by the finest step that a frame can hold, their exact totals, and what there is now."""
    identity.require(TENANT_READ)
    if not timedelta(0) < frame.to - frame.from_ <= LONGEST_PERIOD:
        raise InvalidFrame(f"to: after from, by at most {LONGEST_PERIOD.days} days")
    views = bootstrap.tenant_views(identity.tenant_id)
    # What is now first: whatever happens in between is in the rows, never in neither.
    now = gauges.of_action(views.gauges(), frame.action)
    rows, until = views.metrics_page(frame.from_, frame.to, MOST_READ, frame.action)
    if until is not None:
        raise InvalidFrame(f"to: at most {to_text(until)}, as an answer counts {MOST_READ:,} rows of a minute")
    return protocol.MetricsPage(
        id=frame.id,
        rows=metrics.shown(_by_step(rows, frame.resolution), _at_end(views, frame, now)),
        totals=metrics.totals(rows),
        gauges=now,
        quantile_error=histogram.RELATIVE_ERROR,
    )


def _at_end(views: TenantViews, frame: protocol.Metrics, gauges_now: Mapping[str, int]) -> Mapping[str, int]:
    """The gauges after the minutes that are asked for; none where too much has happened since to count back."""
    now = bootstrap.CLOCK.now()
    if frame.to > now + _MINUTE:  # up to the end of the year 9999, which has no minute after it
        return gauges_now
    start = from_text(f"{to_text(frame.to - timedelta(milliseconds=1))[:16]}Z") + _MINUTE
    if start >= now + _MINUTE:
        return gauges_now
    later, until = views.metrics_page(start, now + _MINUTE, MOST_READ, frame.action)
    return metrics.level_before(gauges_now, later) if until is None else {}


def _by_step(rows: list[dict[str, Any]], resolution: str | None) -> list[dict[str, Any]]:
    if resolution is None:
        return metrics.finest(rows, MOST_ROWS)
    rolled = metrics.rolled_up(rows, resolution)
    if len(rolled) > MOST_ROWS:
        raise InvalidFrame(f"resolution: {len(rolled)} rows, at most {MOST_ROWS} fit; ask for less")
    return rolled


def audit_trail(frame: protocol.Audit, identity: Identity) -> protocol.AuditPage:
    """Every event of one request, or what happened in the tenant on a day."""
    if frame.request_id is not None:
        return _audit_of_request(frame, identity, frame.request_id)
    identity.require(TENANT_READ)
    if frame.day is None:
        raise InvalidFrame("either day or request_id")
    views = bootstrap.tenant_views(identity.tenant_id)
    items, cursor = views.audit_page(frame.day, frame.limit, LIST_BUDGET, frame.cursor, frame.user_id)
    return protocol.AuditPage(id=frame.id, items=items, cursor=cursor)


def actions(frame: protocol.Actions, identity: Identity) -> protocol.ActionsPage:
    """The actions that the caller may submit; one that cannot be loaded is not among them."""
    items = [
        protocol.ActionShown(
            name=action.name,
            mode=action.mode.value,
            description=action.description,
            scope=action.scope,
            input_schema=action.input_schema(),
        )
        for action in _loaded(bootstrap.registry())
        if action.scope is None or action.scope in identity.scopes
    ]
    return protocol.ActionsPage(id=frame.id, items=items)


def _loaded(registry: Registry) -> Iterator[Action]:
    for name in registry.names():
        try:
            action = registry.get(name)
        except Exception:  # noqa: BLE001 - a module may raise anything, and the others can be submitted
            bootstrap.logger().exception("action not loaded", extra={"action": name})
        else:
            yield action


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


def _audit_of_request(frame: protocol.Audit, identity: Identity, request_id: str) -> protocol.AuditPage:
    head = request_for(identity, request_id)
    cursor = frame.cursor or "0"
    if not cursor.isdecimal() or len(cursor) > len(str(protocol.MAX_VERSION)):
        raise InvalidFrame("cursor: not one that was given out")
    events, _ = within_budget(bootstrap.events().read(head.request_id, int(cursor), frame.limit))
    last = events[-1].version if events else head.version
    items = [audit.shown(event) for event in events]
    return protocol.AuditPage(id=frame.id, items=items, cursor=str(last) if last < head.version else None)
