"""The reply about who did what: to one request, or on a day across the tenant."""

from domain import protocol
from domain.errors import InvalidFrame
from domain.identity import TENANT_READ, Identity
from handlers import bootstrap
from handlers.readings import LIST_BUDGET, request_for, within_budget
from projections import audit


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


def _audit_of_request(frame: protocol.Audit, identity: Identity, request_id: str) -> protocol.AuditPage:
    head = request_for(identity, request_id)
    cursor = frame.cursor or "0"
    if not cursor.isdecimal() or len(cursor) > len(str(protocol.MAX_VERSION)):
        raise InvalidFrame("cursor: not one that was given out")
    events, _ = within_budget(bootstrap.events().read(head.request_id, int(cursor), frame.limit))
    last = events[-1].version if events else head.version
    items = [audit.shown(event) for event in events]
    return protocol.AuditPage(id=frame.id, items=items, cursor=str(last) if last < head.version else None)
