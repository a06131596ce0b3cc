"""What is wrong with what users were told, and which faults never fired; the rest is for the soak's judge."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from domain.recorded import RecordedEvent
from tests.faults.users import Ack

Logs = Mapping[str, Sequence[RecordedEvent]]


def told_wrongly(acks: Iterable[Ack], cancelled: Iterable[str], logs: Logs) -> Iterator[str]:
    """What was acknowledged and is not so."""
    for ack in acks:
        log = logs.get(ack.request_id, ())
        if ack.version > len(log) or log[ack.version - 1].snapshot().status != ack.status:
            yield f"{ack.request_id}: acknowledged at {ack.version} as {ack.status}, and that is not in the log"
        if ack.is_duplicate and ack.sent == 1:
            yield f"{ack.request_id}: was submitted once, and told to be a duplicate"
    for request_id in cancelled:
        if not {event.type for event in logs.get(request_id, ())} & {"CancelRequested", "RequestCancelled"}:
            yield f"{request_id}: its cancel was acknowledged and is not in the log"


def stored_twice(logs: Logs) -> Iterator[str]:
    """The events that are there more than once."""
    times = Counter(event.event_id for log in logs.values() for event in log)
    return (f"event {event_id} is there {count} times" for event_id, count in times.items() if count > 1)


def together(*counts: Mapping[str, int]) -> Counter[str]:
    """All counts in one; adding counters would leave out what is 0, and that is what matters here."""
    sums: Counter[str] = Counter()
    for some in counts:
        sums.update(some)
    return sums


def never_fired(fired: Mapping[str, int]) -> list[str]:
    """The kinds of faults that a run did not have: it says nothing of them."""
    return sorted(kind for kind, times in fired.items() if not times)
