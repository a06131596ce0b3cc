"""A connection's row is made once, told of only while it lives, and never made by anything but a connect."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.connection_store import YOUNG, ConnectionStore
from domain.connection import ACTIVITY_INTERVAL, CONNECTION_TTL, Connection, opened
from domain.errors import Conflict, InvalidValue, Undecodable
from domain.identity import Identity
from tests.contracts.backends import Tables
from tests.contracts.logs import BAD_IDS
from tests.kit.clock import START, FakeClock

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def connection(name: str, identity: Identity) -> Connection:
    # A whole second, for a time to live has no finer step.
    return opened(name, identity, START.replace(microsecond=0), "127.0.0.1", "tests")


class ConnectionStoreContract:
    """What every connection store must do."""

    def test_a_saved_connection_is_found_as_it_was(self, connections: ConnectionStore, connection: Connection) -> None:
        connections.save(connection)
        assert connections.get(connection.connection_id, START) == connection

    def test_another_connection_cannot_take_its_id(self, connections: ConnectionStore, connection: Connection) -> None:
        connections.save(connection)
        with pytest.raises(Conflict):
            connections.save(replace(connection, user_id="eve", connected_at=START + SECOND))
        assert connections.get(connection.connection_id, START) == connection

    def test_saving_it_again_changes_nothing(self, connections: ConnectionStore, connection: Connection) -> None:
        connections.save(connection)
        connections.save(connection)
        assert connections.get(connection.connection_id, START) == connection

    def test_a_row_that_has_expired_is_not_there(
        self, connections: ConnectionStore, connection: Connection, name: str
    ) -> None:
        connections.save(connection)
        late = connection.expires_at
        assert connections.get(name, late - SECOND) == connection
        assert connections.get(name, late) is None
        assert list(connections.list_by_user(name, "ann", late - SECOND)) == [connection]
        assert list(connections.list_by_user(name, "ann", late)) == []
        assert list(connections.list_by_tenant(name, late)) == []

    def test_a_deleted_connection_is_in_no_list(
        self, connections: ConnectionStore, connection: Connection, name: str
    ) -> None:
        connections.save(connection)
        for _ in range(2):
            connections.delete(name)
            assert connections.get(name, START) is None
            assert list(connections.list_by_tenant(name, START)) == []

    def test_lists_keep_to_their_user_and_tenant(
        self, connections: ConnectionStore, connection: Connection, name: str
    ) -> None:
        other = replace(connection, connection_id=f"{name}b", user_id="bob")
        foreign = replace(connection, connection_id=f"{name}c", tenant_id=f"{name}x")
        for one in (connection, other, foreign):
            connections.save(one)
        assert list(connections.list_by_user(name, "ann", START)) == [connection]
        assert list(connections.list_by_tenant(name, START)) == [connection, other]

    def test_a_list_of_more_than_one_page_is_whole(
        self, connections: ConnectionStore, connection: Connection, name: str
    ) -> None:
        made = [replace(connection, connection_id=f"{name}-{n}", user_agent="x" * 300_000) for n in range(5)]
        for one in made:
            connections.save(one)
        assert list(connections.list_by_tenant(name, START)) == made

    def test_activity_counts_once_a_minute_and_prolongs_the_row(
        self, connections: ConnectionStore, connection: Connection, name: str
    ) -> None:
        connections.save(connection)
        connections.record_activity(connection, connection.connected_at + ACTIVITY_INTERVAL - SECOND)
        assert connections.get(name, START) == connection
        active_at = connection.connected_at + ACTIVITY_INTERVAL
        connections.record_activity(connection, active_at)
        noted = replace(connection, last_active_at=active_at, expires_at=active_at + CONNECTION_TTL)
        assert connections.get(name, START) == noted
        connections.record_activity(noted, active_at + SECOND)
        assert connections.get(name, START) == noted

    def test_activity_never_makes_a_row(self, connections: ConnectionStore, connection: Connection, name: str) -> None:
        connections.record_activity(connection, START + ACTIVITY_INTERVAL)
        assert connections.get(name, START) is None

    def test_late_news_of_activity_does_not_undo_newer(
        self, connections: ConnectionStore, connection: Connection, name: str
    ) -> None:
        connections.save(connection)
        connections.record_activity(connection, START + 5 * ACTIVITY_INTERVAL)
        connections.record_activity(connection, START + 2 * ACTIVITY_INTERVAL)
        noted = connections.get(name, START)
        assert noted is not None
        assert noted.last_active_at == START + 5 * ACTIVITY_INTERVAL

    def test_a_gone_connection_is_removed_unless_it_may_still_be_opening(
        self, connections: ConnectionStore, connection: Connection, name: str
    ) -> None:
        connections.save(connection)
        assert not connections.delete_gone(name, connection.connected_at + YOUNG)
        assert connections.get(name, START) == connection
        assert connections.delete_gone(name, connection.connected_at + YOUNG + SECOND)
        assert connections.get(name, START) is None
        # There is none now, whoever removed it.
        assert connections.delete_gone(name, START + DAY)

    def test_the_ended_are_those_whose_token_or_time_is_over(
        self, connections: ConnectionStore, connection: Connection, clock: FakeClock, name: str
    ) -> None:
        now = clock.now().replace(microsecond=0) + 2 * DAY
        live = replace(connection, ends_at=now + SECOND, expires_at=now + SECOND)
        token_over = replace(live, connection_id=f"{name}-token", ends_at=now)
        silent = replace(live, connection_id=f"{name}-silent", expires_at=now)
        for one in (live, token_over, silent):
            connections.save(one)
        ended = {one.connection_id for one in connections.ended(now)} & {name, f"{name}-token", f"{name}-silent"}
        assert ended == {f"{name}-token", f"{name}-silent"}

    @pytest.mark.parametrize("field", ["connection_id", "tenant_id", "user_id"])
    @pytest.mark.parametrize("value", BAD_IDS)
    def test_what_is_no_id_is_refused_by_its_field_and_not_written(
        self, connections: ConnectionStore, connection: Connection, field: str, value: str
    ) -> None:
        self._refused(connections, connection, field, value)

    @pytest.mark.parametrize("field", ["connected_at", "last_active_at", "ends_at", "expires_at"])
    def test_a_time_without_a_zone_is_refused_by_its_field_and_not_written(
        self, connections: ConnectionStore, connection: Connection, field: str
    ) -> None:
        self._refused(connections, connection, field, START.replace(tzinfo=None))

    def _refused(self, connections: ConnectionStore, connection: Connection, field: str, value: Any) -> None:
        with pytest.raises(InvalidValue) as caught:
            connections.save(replace(connection, **{field: value}))
        assert caught.value.context == {"field": field}
        assert connections.get(connection.connection_id, START) is None


class ConnectionTableContract:
    """What every table of connections must do."""

    def test_a_refused_write_leaves_the_row_as_it_was(
        self, connections: ConnectionStore, connection: Connection, tables: Tables, name: str
    ) -> None:
        connections.save(connection)
        before = [row for row in tables.rows("Connections") if row["connection_id"] == {"S": name}]
        with pytest.raises(Conflict):
            connections.save(replace(connection, connected_at=START + SECOND))
        connections.record_activity(connection, connection.connected_at - DAY)
        assert [row for row in tables.rows("Connections") if row["connection_id"] == {"S": name}] == before

    def test_an_unreadable_row_is_told_as_such(self, connections: ConnectionStore, tables: Tables, name: str) -> None:
        row = {"connection_id": {"S": name}, "tenant_id": {"S": "acme"}}
        tables.client.put_item(TableName=tables.names["Connections"], Item=row)
        with pytest.raises(Undecodable):
            connections.get(name, START)
