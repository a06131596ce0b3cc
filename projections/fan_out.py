"""Fan-out: which connection gets which frame for a batch of events.

Progress is conflated: of a request's progress in the batch only the newest is shown, and the push says which range of
versions it covers. Events of the life cycle and outputs are never dropped. One frame a connection where it fits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from domain.events import LeaseRenewed, ProgressReported
from domain.recorded import RecordedEvent
from domain.server_frames import FRAME_TARGET, EventPush, EventsPush
from domain.subscription import topics_of
from projections.intents import NoteMissed, Send, Span


class Push(NamedTuple):
    """An event of a request as its watchers are told of it, and the span of its log that it covers."""

    span: Span
    text: str


class Frame(NamedTuple):
    """The text of a frame, and the span of each push in it."""

    text: str
    spans: tuple[Span, ...]


_CONFLATED: Final = frozenset({ProgressReported.__name__, LeaseRenewed.__name__})


def topics(events: Iterable[RecordedEvent]) -> list[str]:
    """Every topic that the events go to, each once."""
    found = (topic for event in events for topic in topics_of(event.request_id, event.tenant_id, event.user_id))
    return list(dict.fromkeys(found))


def conflate(events: Sequence[RecordedEvent]) -> list[tuple[int, RecordedEvent]]:
    """The events of one request that are shown, each with the first version it covers."""
    newest_progress = max((e.version for e in events if e.type == ProgressReported.__name__), default=0)
    shown: list[tuple[int, RecordedEvent]] = []
    covers_from: int | None = None
    for place, event in enumerate(events):
        follows = place > 0 and event.version == events[place - 1].version + 1
        covers_from = covers_from if covers_from is not None and follows else event.version
        is_last = place == len(events) - 1
        if event.type in _CONFLATED and event.version != newest_progress and not is_last:
            continue
        shown.append((covers_from, event))
        covers_from = None
    return shown


def project(groups: Iterable[Sequence[RecordedEvent]], watchers: Mapping[str, Iterable[str]]) -> list[Send]:
    """The frames to post: groups are one request's events each, watchers the connections of each topic."""
    outbox: dict[str, list[int]] = {}
    pushes: list[list[Push]] = []
    for place, events in enumerate(groups):
        to = {
            connection: None
            for topic in topics_of(events[0].request_id, events[0].tenant_id, events[0].user_id)
            for connection in watchers.get(topic, ())
        }
        shown = conflate(events) if to else ()
        pushes.append([Push((event.request_id, first, event.version), _push(first, event)) for first, event in shown])
        for connection in to:
            outbox.setdefault(connection, []).append(place)
    # Those who watch the same get the very same texts, however many they are: each is made, and later hashed, once.
    made: dict[tuple[int, ...], list[Frame]] = {}
    for places in map(tuple, outbox.values()):
        if places not in made:
            made[places] = frames([push for place in places for push in pushes[place]])
    return [
        Send(connection, frame.text, frame.spans)
        for connection, places in outbox.items()
        for frame in made[tuple(places)]
    ]


def frames(pushes: Sequence[Push]) -> list[Frame]:
    """The pushes as frames of at most FRAME_TARGET bytes each, a larger push alone in one."""
    made: list[Frame] = []
    batch: list[Push] = []
    size = 0
    for push in pushes:
        length = len(push.text.encode()) + 1
        if batch and size + length > FRAME_TARGET - _ENVELOPE:
            made.append(_frame(batch))
            batch, size = [], 0
        batch.append(push)
        size += length
    return [*made, _frame(batch)] if batch else made


def missed(
    sends: Iterable[Send],
    taken: Mapping[str, int],
    groups: Iterable[Sequence[RecordedEvent]],
    watchers: Mapping[str, Mapping[str, bool]],
) -> list[NoteMissed]:
    """What to note of connections that took only so many of their frames, unless something is noted already."""
    topics_by_request = {
        events[0].request_id: topics_of(events[0].request_id, events[0].tenant_id, events[0].user_id)
        for events in groups
    }
    notes: dict[tuple[str, str], NoteMissed] = {}
    passed: Counter[str] = Counter()
    for send in sends:
        connection = send.connection_id
        passed[connection] += 1
        if passed[connection] <= taken.get(connection, passed[connection]):
            continue
        for request_id, first, last in send.spans:
            for topic in topics_by_request[request_id]:
                if watchers.get(topic, {}).get(connection) is False:
                    note = notes.setdefault((topic, connection), NoteMissed(topic, connection, request_id, first, last))
                    if note.request_id == request_id:
                        notes[topic, connection] = replace(note, version=last)
    return list(notes.values())


def _push(covers_from: int, event: RecordedEvent) -> str:
    state: dict[str, Any] = event.snapshot().public()
    return EventPush(
        request_id=event.request_id,
        from_version=covers_from,
        version=event.version,
        user_id=event.user_id,
        event=event.shown(),
        state=state,
    ).encode()


_ENVELOPE: Final = len(EventsPush(items=[]).encode())


def _frame(pushes: Sequence[Push]) -> Frame:
    # The pushes are JSON already: joining them spares writing each one again for every watcher.
    texts = [push.text for push in pushes]
    text = texts[0] if len(texts) == 1 else f'{{"type":"events","items":[{",".join(texts)}]}}'
    return Frame(text, tuple(push.span for push in pushes))
