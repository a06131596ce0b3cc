"""Who watches what, against a dictionary: watches are repeated, given up, run out and go with their connection."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import islice
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from msgspec.structs import replace

from adapters.subscription_store import SubscriptionStore
from domain.errors import Unavailable
from domain.identity import Identity
from domain.instant import epoch_seconds, from_epoch
from domain.subscription import Missed, Subscription, subscription
from tests.kit.clock import START, FakeClock
from tests.kit.tables import Aws
from tests.machines.staged import FAULTS, MACHINE, PAGE, TWIN, Staged, faults, run

Watch = tuple[str, str]  # topic, connection


class Watching(Staged):
    """Four connections, four topics; the connections of one example are its own."""

    kind: ClassVar[type[SubscriptionStore]] = SubscriptionStore

    def __init__(self) -> None:
        super().__init__()
        self.store = self.kind(self.aws.dynamodb, self.aws.tables["Subscriptions"])
        self.clock = FakeClock(START.replace(microsecond=0))
        self.topics = [
            f"request#{self.name}-1",
            f"request#{self.name}-2",
            f"user#{self.name}#ann",
            f"tenant#{self.name}",
        ]
        self.connections = [f"{self.name}-{socket}" for socket in range(4)]
        self.rows: dict[Watch, Subscription] = {}

    @rule(topic=st.integers(0, 3), socket=st.integers(0, 3), fault=faults, told=st.none() | st.integers(0, 3))
    def watch(self, topic: int, socket: int, fault: str, told: int | None) -> None:
        now = self.clock.advance(1)
        identity = Identity(self.name, "ann", frozenset(), now + timedelta(hours=1))
        made = subscription(self.topics[topic], self.connections[socket], identity, now, told=told)
        with self.spoil("UpdateItem", fault), suppress(Unavailable):
            self.store.subscribe(made)
        if fault != "refused":
            before = self.rows.get((made.topic, made.connection_id), made)
            ends = from_epoch(epoch_seconds(made.expires_at))
            self.rows[made.topic, made.connection_id] = replace(
                before, expires_at=ends, asked_at=now, told=made.told, missed=None
            )

    @rule(topic=st.integers(0, 3), socket=st.integers(0, 3), version=st.integers(1, 3), fault=faults)
    def miss(self, topic: int, socket: int, version: int, fault: str) -> None:
        watch = self.topics[topic], self.connections[socket]
        missed = Missed("r-1", 1, version, self.clock.now(), "429")
        with self.spoil("UpdateItem", fault), suppress(Unavailable):
            self.store.note_missed(*watch, missed)
        row = self.rows.get(watch)
        if fault != "refused" and row and row.missed is None and (row.told is None or row.told < version):
            self.rows[watch] = replace(row, missed=missed)

    @rule(socket=st.integers(0, 3))
    def watch_everything(self, socket: int) -> None:
        for topic in range(len(self.topics)):
            self.watch(topic, socket, "none", None)

    @rule(topic=st.integers(0, 3), socket=st.integers(0, 3), fault=faults)
    def unwatch(self, topic: int, socket: int, fault: str) -> None:
        watch = self.topics[topic], self.connections[socket]
        with self.spoil("DeleteItem", fault), suppress(Unavailable):
            self.store.unsubscribe(*watch)
        if fault != "refused":
            self.rows.pop(watch, None)

    @rule(socket=st.integers(0, 3))
    def leave(self, socket: int) -> None:
        own = self._of_connection(self.connections[socket])
        assert self.store.delete_by_connection(self.connections[socket]) == len(own)
        for one in own:
            del self.rows[one.topic, one.connection_id]

    @rule(socket=st.integers(0, 3), number=st.integers(0, 3), fault=st.sampled_from(list(FAULTS)))
    def leave_with_a_failure_and_again(self, socket: int, number: int, fault: str) -> None:
        with self.spoil("DeleteItem", fault, number), suppress(Unavailable):
            self.store.delete_by_connection(self.connections[socket])
        self.store.delete_by_connection(self.connections[socket])
        for one in self._of_connection(self.connections[socket]):
            del self.rows[one.topic, one.connection_id]

    @rule(seconds=st.sampled_from([1, 3600, 86_399, 86_400]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.rows)
    @rule(which=st.integers(0, 15))
    def let_time_to_live_delete(self, which: int) -> None:
        topic, connection_id = sorted(self.rows)[which % len(self.rows)]
        if self.rows[topic, connection_id].expires_at < self.clock.now():
            key = {"topic": {"S": topic}, "connection_id": {"S": connection_id}}
            self.aws.dynamodb.delete_item(TableName=self.aws.tables["Subscriptions"], Key=key)
            del self.rows[topic, connection_id]

    @rule(socket=st.integers(0, 3), request=st.integers(1, 2))
    def look(self, socket: int, request: int) -> None:
        connection_id, request_id, now = self.connections[socket], f"{self.name}-{request}", self.clock.now()
        live = [row for row in self.rows.values() if row.expires_at > now]
        of_connection = [row for row in live if row.connection_id == connection_id]
        of_request = [row for row in live if row.request_id == request_id]
        assert _ordered(self.store.list_by_connection(connection_id, now)) == _ordered(of_connection)
        assert _ordered(self.store.list_by_request(request_id, now)) == _ordered(of_request)

    @invariant()
    def every_topic_has_its_live_watchers(self) -> None:
        now = self.clock.now()
        for topic in self.topics:
            live = [row for row in self.rows.values() if row.topic == topic and row.expires_at > now]
            assert self.store.watchers(topic, now) == {row.connection_id: row.missed is not None for row in live}
            assert _ordered(self.store.list_by_topic(topic, now)) == _ordered(live)

    def _of_connection(self, connection_id: str) -> list[Subscription]:
        return [row for row in self.rows.values() if row.connection_id == connection_id]


def _ordered(subscriptions: Iterable[Subscription]) -> list[Subscription]:
    return sorted(subscriptions, key=lambda one: (one.topic, one.connection_id))


class TellingTheDead(Watching):
    """The twin that tells of watches that have run out."""

    removed = ("Query", "FilterExpression")


class FirstPageStore(SubscriptionStore):
    """Finds one page and stops."""

    def _found(self, *asked: Any, **more: Any) -> Iterator[Any]:
        return islice(super()._found(*asked, **more), PAGE)


class LeavingSomeBehind(Watching):
    """The twin whose connections leave subscriptions behind."""

    kind = FirstPageStore


def test_subscriptions_are_what_a_dictionary_says(aws: Aws) -> None:
    run(Watching, aws, settings(MACHINE, max_examples=12))  # each step reads every topic


class NotingForTheDead(Watching):
    """The twin that notes what was not taken whatever there is: of who is gone, or has asked again."""

    removed = ("UpdateItem", "ConditionExpression")


@pytest.mark.parametrize("twin", [TellingTheDead, LeavingSomeBehind, NotingForTheDead])
def test_the_machine_catches_a_store_without(aws: Aws, twin: type[Watching]) -> None:
    with pytest.raises(AssertionError):
        run(twin, aws, TWIN)
