"""What is known to have been delivered of a request to a connection that watches it.

Three things are known for sure, and no more is said: what its client said that it has when it last asked, up to where
that was answered, and what was not taken since. That a push was taken does not say that somebody saw it; the client
says so when it asks again, with the version it has.
"""

from typing import Any

from domain.instant import to_text
from domain.recorded import Head
from domain.subscription import Missed, Subscription


def watcher(head: Head, watch: Subscription) -> dict[str, Any]:
    """A connection that watches a request, as clients are shown it."""
    shown: dict[str, Any] = {
        "topic": watch.topic,
        "connection_id": watch.connection_id,
        "since": to_text(watch.created_at),
        "asked_at": to_text(watch.asked_at) if watch.asked_at else None,
        "seen": watch.seen,
        "told": watch.told,
        "missed": _shown(watch, watch.missed) if watch.missed and watch.missed.request_id == head.request_id else None,
        "delivered": delivered(head, watch),
    }
    return {name: value for name, value in shown.items() if value is not None}


def delivered(head: Head, watch: Subscription) -> str:
    """In a sentence or two what is known of one who watches."""
    if watch.asked_at is None:
        return f"It watches since {to_text(watch.created_at)}; what it was told is not known."
    return f"{_asked(watch, to_text(watch.asked_at))} {_pushed(head, watch)}"


def _asked(watch: Subscription, at: str) -> str:
    if watch.told is None:
        return f"At {at} it asked for the topic, and is told of what happens since."
    had = f"version {watch.seen}" if watch.seen else "nothing"
    if watch.seen == watch.told:
        return f"At {at} its client had {had}, and there was no more."
    return f"At {at} its client had {had} and was answered up to version {watch.told}."


def _pushed(head: Head, watch: Subscription) -> str:
    missed = watch.missed
    if missed is None:
        since = "Nothing happened since." if watch.told == head.version else None
        return since or "No push since is known not to have been taken."
    failed = f"not taken at {to_text(missed.at)}, {missed.why}"
    if missed.request_id != head.request_id:
        return f"A push of another request was {failed}; of this one nothing is kept."
    first = _first(watch, missed)
    versions = f"Version {first} was" if first == missed.version else f"Versions {first} to {missed.version} were"
    return f"{versions} {failed}: its client asks for what it misses."


def _shown(watch: Subscription, missed: Missed) -> dict[str, Any]:
    first = _first(watch, missed)
    return {"from_version": first, "version": missed.version, "at": to_text(missed.at), "why": missed.why}


def _first(watch: Subscription, missed: Missed) -> int:
    """The first version that was not taken: what came before was in the answer."""
    return max(missed.from_version, (watch.told or 0) + 1)
