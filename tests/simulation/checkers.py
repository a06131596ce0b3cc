"""The checkers: what must be true of a history once everything has come to rest, from what was written down of it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from adapters.items import from_item
from domain import exact_json
from domain.errors import Undecodable
from domain.instant import from_text
from domain.recorded import RecordedEvent, first_break
from domain.state import FINAL, RequestState
from tests.kit.views import audit_differences, folded, logs, metrics_differences, request_differences
from tests.simulation.people import Person, Seen
from tests.simulation.streams import Entry
from tests.simulation.time_machine import at
from tests.simulation.witness import Life
from tests.simulation.world import TENANT_CONCURRENCY, World
from tests.soak.judge import most_running

_CONFLATED: Final = frozenset({"ProgressReported", "LeaseRenewed"})
_BY_WORKER: Final = frozenset({"ProgressReported", "OutputAppended", "LeaseRenewed", "RequestCompleted"})
_PRESENCE: Final = {
    "Connections": ("connected", "disconnected"),
    "Subscriptions": ("subscribed", "unsubscribed"),
}
_ENTRIES: Final = {
    "Connections": (("ConnectionOpened", "INSERT"), ("ConnectionClosed", "REMOVE")),
    "Subscriptions": (("Subscribed", "INSERT"), ("Unsubscribed", "REMOVE")),
}
# A subscription this shortly before its connection went may not be in the index that the clean-up reads; the next post
# finds the connection gone, or the row expires.
_LATE_S: Final = 5.0
Logs = Mapping[str, Sequence[RecordedEvent]]


def violations(world: World, people: Sequence[Person]) -> list[str]:
    """Everything that is wrong."""
    stack: Any = world  # as much of a stack as the kit's own comparison needs
    whole: Logs = logs(stack)
    return [
        *world.witness.violations,
        *_log(world, whole),
        *_acknowledged(world, whole, people),
        *_work(world, whole),
        *_slots(world, whole),
        *_views(world, whole),
        *_presence(world),
        *_quarantine(world),
        *_pushes(world, whole),
        *_people(whole, people),
    ]


def unsettled(world: World, people: Sequence[Person]) -> list[str]:
    """What is still to come; nothing when everything is at rest and every view equals the log."""
    waiting = [
        f"{name} is {reader.behind()} records behind" for name, reader in world.readers.items() if reader.behind()
    ]
    waiting += [f"{p.user_id} waits for {w.key}" for p in people for w in p.wishes if not w.is_over]
    if waiting:
        return waiting
    reached = {row["request_id"]["S"]: int(row["version"]["N"]) for row in world.rows("Requests")}
    for name, log in world.database.tables["streamer-Events"].rows.items():
        status = exact_json.decode(log[max(log)]["state"]["S"])["status"]
        if status not in FINAL:
            waiting.append(f"{name} is {status}")
        elif reached.get(name) != max(log):
            waiting.append(f"the view of {name} is behind")
    return waiting


@lru_cache(maxsize=2000)
def _state(event: RecordedEvent) -> RequestState:
    return event.snapshot()


def _log(world: World, whole: Logs) -> Iterator[str]:
    """Contiguous, chained, nothing twice, nothing after the end, nothing lost of what was written."""
    seen: set[str] = set()
    for request_id, log in whole.items():
        if broken := first_break(log):
            yield f"the log of {request_id} is broken at {broken}"
        for event in log:
            if event.event_id in seen:
                yield f"event {event.event_id} is there twice"
            seen.add(event.event_id)
        ends = [event.version for event in log if _state(event).status in FINAL]
        if ends and ends[0] != log[-1].version:
            yield f"{request_id} went on after its end at {ends[0]}"
    there = {(event.request_id, event.version) for log in whole.values() for event in log}
    for key in world.witness.appended.keys() - there:
        yield f"{key} was appended and is not there"


def _acknowledged(world: World, whole: Logs, people: Iterable[Person]) -> Iterator[str]:
    """What was acknowledged is in the log as it was told, and nothing that nobody asked for."""
    for request_id, version, status, duplicate in world.witness.acks:
        log = whole.get(request_id, ())
        if version > len(log) or _state(log[version - 1]).status != status:
            yield f"acknowledged {request_id} at {version} as {status}, and that is not in the log"
        elif duplicate and world.witness.submits[_key_of(log)] < 2:
            yield f"{request_id} was submitted once, and told to be a duplicate"
    wishes = {(p.tenant_id, p.user_id, w.key): w for p in people for w in p.wishes}
    submitted: Counter[tuple[str, str, str]] = Counter()
    for log in whole.values():
        data = exact_json.decode(log[0].data)
        key = _key_of(log)
        submitted[key] += 1
        wish = wishes.get(key)
        if wish is None or not wish.sent:
            yield f"nobody asked for {log[0].request_id}"
        elif data["action"] != wish.frame["action"] or data["priority"] != wish.frame["priority"]:
            yield f"{log[0].request_id} is not what was asked for"
        if submitted[key] > 1:
            yield f"the key {key} led to {submitted[key]} requests"
    for key, wish in wishes.items():
        if wish.request_id is not None and wish.request_id not in whole:
            yield f"{key} was acknowledged as {wish.request_id} and is lost"
        if wish.cancelled == "ack" and wish.request_id is not None:
            types = {event.type for event in whole.get(wish.request_id, ())}
            if not types & {"CancelRequested", "RequestCancelled"}:
                yield f"the cancel of {wish.request_id} was acknowledged and is lost"


def _key_of(log: Sequence[RecordedEvent]) -> tuple[str, str, str]:
    return log[0].tenant_id, log[0].user_id, exact_json.decode(log[0].data)["idempotency_key"]


def _slots(world: World, whole: Logs) -> Iterator[str]:
    """Who runs has a slot, of which there are so many; when all is at rest, nobody has."""
    there = {(event.request_id, event.version): event for log in whole.values() for event in log}
    order = [there[key] for key in world.witness.appended if key in there]
    for tenant_id, most in most_running(order).items():
        if most > TENANT_CONCURRENCY:
            yield f"{most} requests of {tenant_id} ran at the same time, {TENANT_CONCURRENCY} may"
    for row in world.rows("Limits"):
        if "running" in row:
            yield f"{row['name']['S']} are taken by {row['running']['SS']}"


def _work(world: World, whole: Logs) -> Iterator[str]:
    """Each attempt ran at most once, by the worker that started it, and only its own words are in the log."""
    witness = world.witness
    for (request_id, attempt), count in Counter(run[:2] for run in witness.runs).items():
        if count > 1:
            yield f"attempt {attempt} at {request_id} ran {count} times"
    for request_id, attempt, worker in witness.runs:
        started = [e for e in whole.get(request_id, ()) if e.type == "AttemptStarted" and _state(e).attempt == attempt]
        if not started or not (_state(started[0]).worker_id or "").startswith(worker):
            yield f"{worker} ran attempt {attempt} at {request_id}, which is not its own"
    skewed = "clock_skew" in world.faults.rates
    for request_id, log in whole.items():
        due = from_text(exact_json.decode(log[0].data)["due_at"])
        for event in log:
            state, writer = _state(event), witness.appended[request_id, event.version][1]
            if event.type in _BY_WORKER and not (state.worker_id or "").startswith(writer):
                yield f"{request_id} {event.version}: {event.type} by {writer}, whose attempt it is not"
            if event.type == "AttemptStarted" and from_text(event.at) < due:
                yield f"{request_id} {event.version}: started before it was due"
            if event.type == "AttemptFailed":
                due = state.due_at
            if event.type in ("AttemptFailed", "RequestFailed") and state.error and state.error.code == "LEASE_EXPIRED":
                worker = (state.worker_id or "").partition("/")[0]
                if not skewed and not witness.crashed(worker):
                    yield f"{request_id} {event.version}: the lease of a worker that was well is over"


def _views(world: World, whole: Logs) -> Iterator[str]:
    """The requests, audit and metrics views equal the log, if it makes sense at all."""
    stack: Any = world
    for request_id, log in whole.items():
        try:
            folded(log)
        except Undecodable as exc:
            yield f"{request_id}: the log leads nowhere: {exc}"
            return
    yield from request_differences(stack, whole)
    yield from audit_differences(stack, whole)
    yield from metrics_differences(stack, whole)


def _presence(world: World) -> Iterator[str]:
    """Everybody who came and went is counted once and has one entry; who went, watches nothing any more."""
    witness = world.witness
    counts: Counter[str] = Counter()
    gauges: Counter[str] = Counter()
    for row in map(from_item, world.rows("Metrics")):
        if "=gauges#" in row["scope"]:
            gauges.update({name: row.get(name, 0) for name in ("connections", "subscriptions")})
        elif "#" not in row["scope"]:
            counts.update({name: row[name] for names in _PRESENCE.values() for name in names if name in row})
    entries = Counter(str(from_item(row)["type"]) for row in world.rows("Audit"))
    for table, names in _PRESENCE.items():
        lives, lost = witness.lives.get(table, []), witness.lost.get(f"ProjectViews:{table}", [])
        # A row that comes again as the same (a `subscribe` whose SDK tried again after its removal) is not another one.
        came = {(life.key, _made_at(life)) for life in lives}
        went = {(life.key, _made_at(life), int(at(life.until).timestamp())) for life in lives if life.until is not None}
        for name, (kind, event), expected in zip(names, _ENTRIES[table], (len(came), len(went)), strict=True):
            missing = sum(entry.record["eventName"] == event for entry in lost)
            if not expected - missing <= counts[name] <= expected:
                yield f"{expected} {name} ({missing} lost), and {counts[name]} are counted"
            if counts[name] != entries[kind]:
                yield f"{counts[name]} {name} are counted, and {entries[kind]} have an entry"
        if gauges[table.lower()] != counts[names[0]] - counts[names[1]]:
            yield f"the gauge says {gauges[table.lower()]} {table.lower()}, the counts {counts}"
    closed = {life.key[0] for life in witness.lives.get("Connections", []) if life.until is not None}
    there = {row["connection_id"]["S"] for row in world.rows("Connections")}
    lost_closed = {entry.item[1][0] for entry in witness.lost.get("ProjectViews:Connections", [])}
    for life in witness.lives.get("Subscriptions", []):
        removed = [one.until for one in witness.lives["Connections"] if one.key[0] == life.key[1] and one.until]
        if life.until is None and life.key[1] in closed - there - lost_closed and life.since < removed[-1] - _LATE_S:
            yield f"{life.key} is watched by a connection that is gone"


def _made_at(life: Life) -> str:
    return str((life.item.get("created_at") or life.item["connected_at"])["S"])


def _quarantine(world: World) -> Iterator[str]:
    """Each record that no code can read is kept, and no other one."""
    kept = {name for bucket, name in world.buckets.objects if bucket == "FailuresBucket"}
    lost = {entry.number for entry in world.witness.lost.get("ProjectViews:Events", [])}
    expected = set()
    for stream in world.streams.values():
        for shard in stream.shards:
            for entry in shard.entries:
                if entry.poison and entry.number not in lost:
                    expected.add(f"quarantine/{entry.item[0]}/{entry.record['dynamodb']['SequenceNumber']}.json")
                elif entry.poison:
                    kept.discard(f"quarantine/{entry.item[0]}/{entry.record['dynamodb']['SequenceNumber']}.json")
    for name in sorted(expected - kept):
        yield f"{name} is not in the quarantine"
    for name in sorted(kept - expected):
        yield f"{name} is in the quarantine, and can be read"


def _pushes(world: World, whole: Logs) -> Iterator[str]:
    """No gap on the server's side: every event is in the answer to `subscribe` or was posted, or both."""
    witness = world.witness
    for told in witness.told:
        for event in whole.get(told.request_id, ())[told.version :]:
            if witness.appended[event.request_id, event.version][0] < told.row_since:
                yield f"{told.connection_id} was told of {told.request_id} to {told.version}, not {event.version}"
    by_topic: dict[str, list[Any]] = {}
    for life in witness.lives.get("Subscriptions", []):
        by_topic.setdefault(life.key[0], []).append(life)
    for entry in witness.read.get("NotifySubscribers:Events", {}).values():
        if entry.poison or entry.record["eventName"] != "INSERT":
            continue
        request_id, version = entry.item[1]
        for life in by_topic.get(f"request#{request_id}", ()):
            connection_id = life.key[1]
            if connection_id in witness.failing or life.until is not None or life.since >= entry.written_at:
                continue
            posted = witness.posts.get((connection_id, request_id), set())
            # Progress that was conflated away with a hole before it shows as a gap, and the client asks.
            if version not in posted and not (entry_type(entry) in _CONFLATED and max(posted, default=0) > version):
                yield f"{connection_id} watches {request_id} and was never posted {version}"


def entry_type(entry: Entry) -> str:
    """The type of the event that a record tells of."""
    return str(entry.record["dynamodb"]["NewImage"]["type"]["S"])


def _people(whole: Logs, people: Iterable[Person]) -> Iterator[str]:
    """Each watch saw every event once, in order, or was told that it could not."""
    for person in people:
        for error in person.gave_up:
            if error.reason == "the client broke":
                yield f"the client of {person.user_id} broke"
        for wish in person.wishes:
            for seen in wish.watches:
                yield from _watch(person.user_id, seen, whole)
            if (
                wish.refused is None
                and wish.watches
                and wish.watches[-1].version != len(whole.get(wish.request_id or "", ()))
            ):
                yield f"{person.user_id} has seen {wish.request_id} up to {wish.watches[-1].version} only"
        for seen in person.others:
            yield from _watch(person.user_id, seen, whole)
        for kind, answer in person.answers:
            yield from _answer(kind, answer, whole)


def _watch(user_id: str, seen: Seen, whole: Logs) -> Iterator[str]:
    log, reached = whole.get(seen.request_id, ()), seen.after
    for update in seen.updates:
        where = f"{user_id} watching {seen.request_id} after {seen.after}: {update.version}"
        if update.from_version != reached + 1 or not reached < update.version <= len(log):
            yield f"{where} came after {reached}"
            return
        event = log[update.version - 1]
        shown = event.shown()
        told, real = (update.type, update.at, dict(update.data)), (shown["type"], from_text(shown["at"]), shown["data"])
        if told != real:
            yield f"{where} is not what the log has: {told} {real}"
        if update.state is not None and update.state.get("status") != _state(event).status:
            yield f"{where} came with another state"
        skipped = {log[version - 1].type for version in range(update.from_version, update.version)}
        if skipped - _CONFLATED:
            yield f"{where} skipped {sorted(skipped - _CONFLATED)}"
        reached = update.version


def _public(event: RecordedEvent) -> Any:
    return exact_json.decode(exact_json.encode(_state(event).public()))


def _answer(kind: str, answer: Any, whole: Logs) -> Iterator[str]:
    """What was looked up was so at some time."""
    match kind:
        case "get":
            log = whole.get(answer.request_id, ())
            if answer.version > len(log) or _public(log[answer.version - 1]) != answer.state:
                yield f"get of {answer.request_id} at {answer.version} is not what the log has"
        case "history":
            request_id, events = answer
            log = whole.get(request_id, ())
            told = [(event.version, event.type) for event in events]
            if told != [(event.version, event.type) for event in log[: len(told)]]:
                yield f"history of {request_id} is not what the log has"
        case _:
            for row in answer:
                if row["request_id"] not in whole:
                    yield f"listed {row['request_id']}, which is not there"
