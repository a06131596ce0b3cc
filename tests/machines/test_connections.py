"""Connections that open, speak, fall silent, close and are found gone, against a dictionary.

A row is deleted by its time to live some time after it is over, or not at all; nobody may see the difference.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from msgspec.structs import replace

from adapters.connection_store import YOUNG, ConnectionStore
from domain.connection import ACTIVITY_INTERVAL, CONNECTION_TTL, Connection, opened
from domain.errors import Conflict, Unavailable
from domain.identity import Identity
from domain.instant import epoch_seconds, from_epoch
from tests.kit.clock import START, FakeClock
from tests.kit.tables import Aws
from tests.machines.staged import TWIN, Staged, faults, run

some = st.integers(0, 30)
USERS = (("a", "ann"), ("a", "bob"), ("z", "ann"))


def kept(connection: Connection, expires_at: datetime) -> Connection:
    """The connection as a row keeps it: its time to live is in whole seconds."""
    return replace(connection, expires_at=from_epoch(epoch_seconds(expires_at)))


class Connecting(Staged):
    """Five sockets of three users in two tenants."""

    def __init__(self) -> None:
        super().__init__()
        self.store = ConnectionStore(self.aws.dynamodb, self.aws.tables["Connections"])
        self.clock = FakeClock(START.replace(microsecond=0))
        self.rows: dict[str, Connection] = {}
        self.first: dict[str, Connection] = {}
        self.seen: list[Connection] = []

    def teardown(self) -> None:
        for row in self.aws.rows("Connections"):
            self.store.delete(row["connection_id"]["S"])
        super().teardown()

    @rule(socket=st.integers(0, 4), who=st.sampled_from(USERS), fault=faults)
    def connect(self, socket: int, who: tuple[str, str], fault: str) -> None:
        now = self.clock.advance(1)
        identity = Identity(f"{self.name}{who[0]}", who[1], frozenset(), now + timedelta(hours=1))
        made = opened(f"{self.name}-{socket}", identity, now, "127.0.0.1", "tests")
        with self.spoil("PutItem", fault):
            if made.connection_id in self.rows:
                with pytest.raises((Conflict, Unavailable)):
                    self.store.save(made)
                return
            with suppress(Unavailable):
                self.store.save(made)
        if fault != "refused":
            self.rows[made.connection_id] = kept(made, made.expires_at)
            self.first[made.connection_id] = made
            self.seen.append(made)

    @precondition(lambda self: self.rows)
    @rule(which=some)
    def save_again(self, which: int) -> None:
        self.store.save(self.first[self._any(which)])

    @precondition(lambda self: self.rows)
    @rule(which=some)
    def look(self, which: int) -> None:
        now, row = self.clock.now(), self.rows[self._any(which)]
        found = self.store.get(row.connection_id, now)
        assert found == (row if row.expires_at > now else None)
        self.seen += [found] if found else []

    @precondition(lambda self: self.seen)
    @rule(which=some, later=st.sampled_from([0, 59, 60, 61, 120]), fault=faults)
    def speak(self, which: int, later: float, fault: str) -> None:
        seen, now = self.seen[which % len(self.seen)], self.clock.advance(later)
        with self.spoil("UpdateItem", fault), suppress(Unavailable):
            self.store.record_activity(seen, now)
        row = self.rows.get(seen.connection_id)
        if row and now - row.last_active_at >= ACTIVITY_INTERVAL and fault != "refused":
            self.rows[seen.connection_id] = kept(replace(row, last_active_at=now), now + CONNECTION_TTL)

    @precondition(lambda self: self.rows)
    @rule(which=some, fault=faults)
    def disconnect(self, which: int, fault: str) -> None:
        connection_id = self._any(which)
        with self.spoil("DeleteItem", fault), suppress(Unavailable):
            self.store.delete(connection_id)
        if fault != "refused":
            del self.rows[connection_id]

    @rule(socket=st.integers(0, 4))
    def find_gone(self, socket: int) -> None:
        row = self.rows.get(f"{self.name}-{socket}")
        is_old = row is not None and row.connected_at < self.clock.now() - YOUNG
        there_is_none_now = self.store.delete_gone(f"{self.name}-{socket}", self.clock.now())
        assert there_is_none_now == (row is None or is_old)
        if row and is_old:
            del self.rows[row.connection_id]

    @rule(seconds=st.sampled_from([1, 10, 3600, 86_340, 86_400]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @precondition(lambda self: self.rows)
    @rule(which=some)
    def let_time_to_live_delete(self, which: int) -> None:
        row = self.rows[self._any(which)]
        if row.expires_at < self.clock.now():
            key = {"connection_id": {"S": row.connection_id}}
            self.aws.dynamodb.delete_item(TableName=self.aws.tables["Connections"], Key=key)
            del self.rows[row.connection_id]

    @rule(stuck=st.booleans())
    def sweep(self, *, stuck: bool) -> None:
        now = self.clock.now()
        over = {row.connection_id for row in self.rows.values() if row.ends_at <= now or row.expires_at <= now}
        left = {connection_id for connection_id in over if stuck and connection_id.endswith("0")}
        closed: list[str] = []

        def close(connection_id: str) -> None:
            if connection_id in left:
                raise Unavailable
            closed.append(connection_id)

        stale = self.store.delete_stale(now, close)
        assert (stale.deleted, stale.left) == (len(over - left), len(left))
        assert stale.there >= len(self.rows) - len(closed)
        assert sorted(closed) == sorted(over - left)
        self.rows = {name: row for name, row in self.rows.items() if name not in closed}

    @rule(who=st.sampled_from(USERS))
    def list_of_a_user(self, who: tuple[str, str]) -> None:
        tenant_id = f"{self.name}{who[0]}"
        live = [row for row in self._live(tenant_id) if row.user_id == who[1]]
        assert _by_id(self.store.list_by_user(tenant_id, who[1], self.clock.now())) == _by_id(live)

    @invariant()
    def a_tenant_has_its_live_ones_as_they_were_left(self) -> None:
        for tenant_id in (f"{self.name}a", f"{self.name}z"):
            listed = self.store.list_by_tenant(tenant_id, self.clock.now())
            assert _by_id(listed) == _by_id(self._live(tenant_id))

    def _live(self, tenant_id: str) -> list[Connection]:
        now = self.clock.now()
        return [row for row in self.rows.values() if row.tenant_id == tenant_id and row.expires_at > now]

    def _any(self, which: int) -> str:
        return sorted(self.rows)[which % len(self.rows)]


def _by_id(connections: Iterable[Connection]) -> dict[str, Connection]:
    found = [*connections]
    named = {one.connection_id: one for one in found}
    assert len(named) == len(found)
    return named


class TakingOver(Connecting):
    """The twin that saves over another connection."""

    removed = ("PutItem", "ConditionExpression")


class HauntedByActivity(Connecting):
    """The twin whose late news of activity makes a row, or undoes newer."""

    removed = ("UpdateItem", "ConditionExpression")


class TakingTheYoung(Connecting):
    """The twin that removes a connection that is still opening."""

    removed = ("DeleteItem", "ConditionExpression")


class ListingTheDead(Connecting):
    """The twin that lists what has expired."""

    removed = ("Query", "FilterExpression")


def test_connections_are_what_a_dictionary_says(aws: Aws) -> None:
    run(Connecting, aws)


@pytest.mark.parametrize("twin", [TakingOver, HauntedByActivity, TakingTheYoung, ListingTheDead])
def test_the_machine_catches_a_store_without(aws: Aws, twin: type[Connecting]) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception, KeyError)):
        run(twin, aws, TWIN)
