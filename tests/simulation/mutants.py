"""The mutants: each switches off one guard of the project; a simulation that does not notice proves nothing of it."""

import multiprocessing
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import wraps
from inspect import signature
from itertools import count
from typing import Any, Final
from unittest.mock import patch

from msgspec import structs

from adapters import (
    event_store,
    request_log,
    request_queue,
    stream_records,
    subscription_store,
    sweeper,
    ticket_store,
    view_projector,
    views,
)
from adapters.attempt import Attempt
from adapters.items import from_item
from adapters.patrol import Patrol
from adapters.presence_projector import PresenceProjector
from adapters.quarantine import Quarantine
from adapters.reconciler import Reconciled
from adapters.tenant_slots import TenantSlots
from adapters.ticket_store import TicketStore
from adapters.view_writes import ViewWrites
from client.tail import Heard, Tail
from client.watching import Watching
from domain import protocol, recorded, request
from domain.errors import AlreadyFinal, Conflict, Unauthorized, Unavailable
from domain.identity import Identity
from domain.instant import from_text
from domain.recorded import Head
from domain.state import INITIAL
from domain.subscription import request_topic
from handlers import bootstrap, project_views, readings, replies
from projections import audit, catalog, dispatch, presence
from projections.intents import Add, Once, Put
from tests.simulation import streams
from tests.simulation.history import run

MOST: Final = 1000  # histories that a mutant may survive: a guard that is rarely needed is rarely missed
Mutant = Callable[[], AbstractContextManager[Any]]


class _Without:
    """A client whose calls lose some of their arguments, or get others."""

    def __init__(self, client: Any, changed: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
        self._client = client
        self._changed = changed

    def __getattr__(self, operation: str) -> Any:
        real = getattr(self._client, operation)
        change = self._changed.get(operation)
        if operation == "get_paginator" and "paginate" in self._changed:
            return lambda name: _Without(real(name), self._changed)
        return real if change is None else lambda **given: real(**change(given))


def _spoiled(kind: type, **changed: Callable[[dict[str, Any]], dict[str, Any]]) -> Mutant:
    """A store whose calls are changed on their way to the client."""

    @contextmanager
    def mutant() -> Iterator[None]:
        real: Any = vars(kind)["__init__"]

        def init(self: Any, client: Any, *rest: Any, **named: Any) -> None:
            real(self, _Without(client, changed), *rest, **named)

        with patch.object(kind, "__init__", init):
            yield

    return mutant


def _replaced(owner: Any, name: str, by: Any) -> Mutant:
    """One thing in place of another; TypeError when it takes less.

    That it stumbles is noted: a history notices that too, and it proves nothing.
    """
    signature(by).bind(*signature(getattr(owner, name)).parameters)

    @wraps(by)
    def mutant(*given: Any, **named: Any) -> Any:
        try:
            return by(*given, **named)
        except (AttributeError, NameError, TypeError) as exc:
            _STUMBLES.append(f"{type(exc).__name__}: {exc}")
            raise

    return lambda: patch.object(owner, name, mutant)


_STUMBLES: Final[list[str]] = []


def _less(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda given: {name: value for name, value in given.items() if name not in names}


_UNCONDITIONAL: Final = _less("ConditionExpression", "ReturnValuesOnConditionCheckFailure")


def _takes_any(self: Any, event: Any, slot: Any = None) -> None:
    """Take whatever is at the version for one's own event."""
    with suppress(Conflict):
        _REAL_APPEND(self, event, slot)


_REAL_APPEND: Final = event_store.EventStore.append


def _answers_anyway(self: Any, event: Any, slot: Any = None) -> None:
    """Go on as if an event were stored that may not be."""
    with suppress(Unavailable):
        _REAL_APPEND(self, event, slot)


def _unchained(*given: Any) -> Any:
    return structs.replace(_REAL_RECORD(*given), prev_hash=b"")


_REAL_RECORD: Final = recorded.record


def _kept_for_ever(self: Any, before: Any, event: Any) -> Any:
    """Take a slot, and never give it back."""
    change = _REAL_CHANGE(self, before, event)
    return change if change and "ADD" in change["Update"]["UpdateExpression"] else None


_REAL_CHANGE: Final = TenantSlots.change


def _unguarded(self: Any, put: Put) -> Any:
    return _REAL_UPDATE(self, structs.replace(put, after=None))


_REAL_UPDATE: Final = ViewWrites.update


def _unconditional(given: dict[str, Any]) -> dict[str, Any]:
    """Each statement goes for the row whatever its version."""
    end = ' AND "version"=?'
    return {
        "Statements": [
            {**one, "Statement": one["Statement"].removesuffix(end), "Parameters": one["Parameters"][:-1]}
            for one in given["Statements"]
        ]
    }


def _one_by_one(self: Any, intents: Sequence[Put | Once | Add]) -> None:
    """No transaction: each write by itself."""
    real = _REAL_COMMIT
    for intent in intents:
        real(self, [intent])


_REAL_COMMIT: Final = views.Views.commit


def _as_delivered(_: Any, batch: Any) -> dict[str, Any]:
    """The events of the batch that are new, whatever is missing before or between them."""
    missing = {}
    for request_id, deliveries in batch.groups.items():
        new = [one.event for one in deliveries if one.event.version > batch.reached[request_id]]
        if new:
            missing[request_id] = new
    return missing


def _log_before_row(self: Any, frame: Any) -> Any:
    """Read the log, then write the subscription."""
    if frame.topic is not None:
        return _REAL_SUBSCRIBE(self, frame)
    head = readings.request_for(self._identity, frame.request_id or "")
    events, whole = readings.within_budget(bootstrap.events().read(head.request_id, frame.after))
    newest = Head.of(events[-1]) if events and whole else bootstrap.queue().get(head.request_id)
    self._watch(request_topic(head.request_id), frame.id)
    return protocol.Subscribed(
        id=frame.id,
        request_id=head.request_id,
        version=newest.version,
        state=newest.state.public(),
        events=[event.shown() for event in events],
    )


_REAL_SUBSCRIBE: Final = replies.Replies._subscribe


def _no_gap(self: Any, update: Any) -> Heard:
    if self.is_final or update.version <= self.version:
        return Heard()
    return Heard((self._give_out(update),))


def _again(self: Any, update: Any) -> Heard:
    if update.from_version > self.version + 1:
        return self.ask()  # type: ignore[no-any-return]
    return Heard((self._give_out(update),))


def _unfenced(command: Any, state: Any) -> Any:
    if state.is_final:
        raise AlreadyFinal(status=state.status)
    return structs.replace(state, attempt=command.attempt)


def _early(command: Any, state: Any) -> Any:
    return _REAL_START(command, structs.replace(state, due_at=INITIAL.due_at))


_REAL_START: Final = request._start


def _answer_of(choose: Callable[[list[str]], str]) -> Any:
    def answer(not_handled: Sequence[Any]) -> Any:
        numbers = [stream_records.sequence_number(record) for record in not_handled]
        return {"batchItemFailures": [{"itemIdentifier": choose(numbers)}] if numbers else []}

    return answer


def _goes_on(self: Any, records: Sequence[Any]) -> Any:
    """Go on after a failure, and report the last one only."""
    outcome = view_projector.Outcome()
    for record in records:
        try:
            outcome.quarantined += self._handle(record)
        except Unavailable as exc:
            outcome.not_handled, outcome.error = [record], exc
    return outcome


def _entry_each_time(events: Any) -> Any:
    """Entries under a name of their own each time they are written."""
    puts = _REAL_AUDIT(events)
    names = [put.key["entry"].rpartition("#")[0] for put in puts]
    return [
        structs.replace(put, key={**put.key, "entry": f"{name}#{next(_NUMBERS):010}"})
        for put, name in zip(puts, names, strict=True)
    ]


_NUMBERS: Final = count(1_000_000)


_REAL_AUDIT: Final = audit.project


def _unfiltered(properties: Mapping[str, Any]) -> Any:
    return replace(_REAL_SETTINGS(properties), names=None)


_REAL_SETTINGS: Final = streams.Settings.of


def _unmarked(self: Any, intent: Any, shard: int) -> Any:
    item = _REAL_ITEM(self, intent, shard)
    if isinstance(intent, Once):
        item["Put"].pop("ConditionExpression")
        item["Put"].pop("ExpressionAttributeNames")
    return item


_REAL_ITEM: Final = ViewWrites.of_transaction


def _redeem_twice(self: Any, ticket: str, now: Any) -> Any:
    """Look at the ticket, and leave it there."""
    row = self._client.get_item(TableName=self._table, Key={"ticket_hash": {"S": ticket_store._hash(ticket)}})
    values: dict[str, Any] = from_item(row["Item"]) if "Item" in row else {"expires_at": 0}
    if values["expires_at"] <= now.timestamp():
        raise Unauthorized("the ticket is not valid")
    return Identity(
        values["tenant_id"], values["user_id"], frozenset(values["scopes"].split()), from_text(values["token_ends_at"])
    )


MUTANTS: Final[Mapping[str, Mutant]] = {
    "append condition": _spoiled(event_store.EventStore, put_item=_UNCONDITIONAL),
    "event id: takes any event at its version for its own": _replaced(event_store.EventStore, "append", _takes_any),
    "event id: does not know its own event again": _spoiled(
        event_store.EventStore, put_item=_less("ReturnValuesOnConditionCheckFailure")
    ),
    "answer only to what is stored": _replaced(event_store.EventStore, "append", _answers_anyway),
    "hash chain": _replaced(request_log, "record", _unchained),
    "version guard of the views": _replaced(ViewWrites, "update", _unguarded),
    "version guard of the views, many at a time": _spoiled(views.Views, batch_execute_statement=_unconditional),
    "transaction of rows and counts": _replaced(views.Views, "commit", _one_by_one),
    "gap repair of the views": _replaced(view_projector.ViewProjector, "_missing", _as_delivered),
    "partial answer: reports what failed": _replaced(
        project_views, "partial_batch_response", lambda _: {"batchItemFailures": []}
    ),
    "partial answer: the lowest number": _replaced(
        project_views, "partial_batch_response", _answer_of(lambda numbers: max(numbers, key=int))
    ),
    "stop at the first failure": _replaced(PresenceProjector, "project", _goes_on),
    "quarantine": _replaced(Quarantine, "keep", lambda *_: None),
    "idempotent audit": lambda: patch.dict(catalog.ENTRIES, {"audit": _entry_each_time}),
    "metric markers": _replaced(ViewWrites, "of_transaction", _unmarked),
    "filter of removals": _replaced(streams.Settings, "of", _unfiltered),
    "clean-up after a connection": _replaced(presence, "clean_up", lambda _: []),
    "fencing by attempt": _replaced(request, "_running", _unfenced),
    "slots of tenants": _replaced(TenantSlots, "change", lambda *_: None),
    "slots are given back": _replaced(TenantSlots, "change", _kept_for_ever),
    "reads of what has expired": _replaced(Head, "is_over", lambda *_: False),
    "due time of an attempt": _replaced(request, "_start", _early),
    "lease renewal": _replaced(Attempt, "_renew", lambda _: None),
    "idempotency key": _replaced(request_queue, "keyed_request_id", lambda *_: str(uuid.uuid4())),
    "work tokens": _replaced(dispatch, "project", lambda _: []),
    "sweeper: leases": _replaced(sweeper.Sweeper, "_expire_leases", lambda *_: None),
    "sweeper: forgotten requests": _replaced(sweeper.Sweeper, "_wake_forgotten", lambda *_: None),
    "sweeper: patrol": _replaced(Patrol, "walk", lambda _: Reconciled()),
    "subscription before the log is read": _replaced(replies.Replies, "_subscribe", _log_before_row),
    "consistent read of subscriptions": _spoiled(
        subscription_store.SubscriptionStore, paginate=_less("ConsistentRead")
    ),
    "tickets: one use": _replaced(TicketStore, "redeem", _redeem_twice),
    "tickets: their time": _spoiled(
        TicketStore,
        update_item=lambda given: {
            **given,
            "ConditionExpression": "attribute_exists(ticket_hash) AND attribute_not_exists(redeemed_by)",
            "ExpressionAttributeValues": {":by": given["ExpressionAttributeValues"][":by"]},
        },
    ),
    "client: gap repair": _replaced(Tail, "pushed", _no_gap),
    "client: drops what it has": _replaced(Tail, "pushed", _again),
    "client: looks for lost pushes": _replaced(Watching, "tick", lambda _: None),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: the seed that killed it and what was noticed; None when nothing was, or it stumbled."""

    name: str
    seed: int | None
    noticed: str


def judge(name: str) -> Verdict:
    """Run histories with a guard switched off until one of them notices."""
    _STUMBLES.clear()
    with MUTANTS[name]():
        for seed in range(1, MOST + 1):
            history = run(seed)
            if _STUMBLES:
                return Verdict(name, None, f"the mutant stumbles: {_STUMBLES[0]}")
            if history.violations:
                return Verdict(name, seed, history.violations[0])
    return Verdict(name, None, "")


def main(processes: int) -> int:
    """Judge every mutant and print the list; the exit code."""
    began = time.monotonic()
    survived = 0
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for verdict in pool.imap_unordered(judge, MUTANTS):
            survived += verdict.seed is None
            fate = f"killed by seed {verdict.seed}" if verdict.seed else "SURVIVED"
            print(f"{verdict.name:<55} {fate:<20} {verdict.noticed[:110]}", flush=True)
    print(f"{len(MUTANTS) - survived} of {len(MUTANTS)} mutants killed in {time.monotonic() - began:.0f} s")
    return 1 if survived else 0
