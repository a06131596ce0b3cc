"""The reply to a subscription to a topic: its newest requests, or which of them changed since an instant.

What changed is read from the audit view, which has every step of every request's life by time. The view follows the
log at a distance, so a complete answer tells the client to ask the next time from LAG before now: what the view did
not have yet is in the next answer, and what it had is in both.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from domain import protocol
from domain.errors import InvalidFrame
from domain.identity import Identity
from domain.instant import from_text, to_text
from handlers import bootstrap, readings
from handlers.settings import settings

LAG: Final = timedelta(minutes=2)  # of the view behind the log; an alarm tells of more
NEWEST: Final = 50  # requests in a first answer
MOST: Final = 200  # requests in a later one
_READ: Final = 2000  # entries read for one answer at most


def subscribed(frame: protocol.Subscribe, topic: str, identity: Identity, now: datetime) -> protocol.Subscribed:
    """What a watcher of a topic gets before the pushes."""
    user_id = topic.split("#")[2] if topic.startswith("user#") else None
    if frame.since is not None:
        return _changed(frame, topic, identity.tenant_id, user_id, now)
    queue, tenant_id = bootstrap.queue(), identity.tenant_id
    if user_id is None:
        page = queue.list_by_tenant(tenant_id, NEWEST, None, None)
    else:
        page = queue.list_by_user(tenant_id, user_id, NEWEST, None, None)
    return protocol.Subscribed(id=frame.id, topic=topic, requests=readings.shown(page.rows), at=now - LAG)


def _changed(
    frame: protocol.Subscribe, topic: str, tenant_id: str, user_id: str | None, now: datetime
) -> protocol.Subscribed:
    oldest = now - timedelta(days=settings().retention_days)
    since = frame.since or oldest
    if since < oldest:
        raise InvalidFrame(f"since: what changed before {oldest:%Y-%m-%dT%H:%M:%SZ} is no longer kept")
    found: dict[str, dict[str, Any]] = {}
    last = to_text(since)
    for read, entry in enumerate(bootstrap.tenant_views(tenant_id).changed(since, now)):
        # Never between two entries of one instant, so that the next answer begins later than this one.
        if (len(found) >= MOST or read >= _READ) and entry["at"] > last:
            return _answer(frame, topic, found, from_text(entry["at"]), more=True)
        last = entry["at"]
        if "request_id" in entry and user_id in (None, entry["user_id"]):
            name = entry["request_id"]
            found[name] = {"request_id": name, "user_id": entry["user_id"], "version": entry["version"]}
    return _answer(frame, topic, found, max(since, now - LAG))


def _answer(
    frame: protocol.Subscribe, topic: str, found: dict[str, dict[str, Any]], at: datetime, *, more: bool | None = None
) -> protocol.Subscribed:
    return protocol.Subscribed(id=frame.id, topic=topic, requests=list(found.values()), at=at, more=more)
