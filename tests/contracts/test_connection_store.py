"""A connection's row is made once, told of only while it lives, and never made by anything but a connect."""

from datetime import timedelta

import pytest
from msgspec.structs import fields, replace

from adapters.connection_store import YOUNG, ConnectionStore
from domain.connection import ACTIVITY_INTERVAL, CONNECTION_TTL, Connection, opened
from domain.errors import Conflict, InvalidValue, Unavailable, Undecodable
from domain.identity import Identity
from domain.instant import to_text
from domain.validity import KINDS
from tests.contracts.backends import Tables
from tests.contracts.bad import BAD
from tests.kit.clock import START, FakeClock

SECOND = timedelta(seconds=1)
MOMENT = timedelta(milliseconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def connection(name: str, identity: Identity) -> Connection:
    # A whole second, for a time to live has no finer step.
    return opened(name, identity, START.replace(microsecond=0), "127.0.0.1", "tests", "CONNECT=")


class ConnectionStoreContract:
    """What every connection store must do."""

    def test_a_saved_connection_is_found_as_it_was(self, connections: ConnectionStore, connection: Connection) -> None:
        connections.save(connection)
        assert connections.get(connection.connection_id, START) == connection

    def test_another_connection_cannot_take_its_id(self, connections: ConnectionStore, connection: Connection) -> None:
        connections.save(connection)
        with pytest.raises(Conflict) as caught:
            connections.save(replace(connection, user_id="eve", connected_at=START + SECOND))
        assert caught.value.context["found"] == to_text(connection.connected_at)
        assert {"operation", "table", "connection_id", "connected_at"} <= caught.value.context.keys()
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
        for moment in (late - SECOND, late - MOMENT):
            assert connections.get(name, moment) == connection
            assert list(connections.list_by_user(name, "ann", moment)) == [connection]
            assert list(connections.list_by_tenant(name, moment)) == [connection]
        for moment in (late, late + MOMENT):
            assert connections.get(name, moment) is None
            assert list(connections.list_by_user(name, "ann", moment)) == []
            assert list(connections.list_by_tenant(name, moment)) == []

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

    def test_the_stale_go_once_their_sockets_are_closed(
        self, connections: ConnectionStore, connection: Connection, clock: FakeClock, name: str
    ) -> None:
        now = clock.now().replace(microsecond=0) + 2 * DAY
        live = replace(connection, ends_at=now + MOMENT, expires_at=now + SECOND)
        token_over = replace(live, connection_id=f"{name}-token", ends_at=now)
        silent = replace(live, connection_id=f"{name}-silent", expires_at=now)
        stuck = replace(live, connection_id=f"{name}-stuck", ends_at=now)
        for one in (live, token_over, silent, stuck):
            connections.save(one)
        closed: list[str] = []

        def close(connection_id: str) -> None:
            if connection_id == stuck.connection_id:
                raise Unavailable
            closed.append(connection_id)

        first = connections.delete_stale(now, close)
        own = {one for one in closed if one.startswith(name)}
        assert own == {token_over.connection_id, silent.connection_id}
        assert (first.deleted, first.left) == (len(closed), 1)
        assert first.there >= 2
        assert list(connections.list_by_tenant(name, now)) == [live, stuck]
        again = connections.delete_stale(now, closed.append)
        assert (again.deleted, again.left, again.there) == (1, 0, first.there - 1)
        assert list(connections.list_by_tenant(name, now)) == [live]

    def test_a_repeated_save_does_not_undo_activity(
        self, connections: ConnectionStore, connection: Connection, name: str
    ) -> None:
        connections.save(connection)
        connections.record_activity(connection, connection.connected_at + ACTIVITY_INTERVAL)
        noted = connections.get(name, START)
        connections.save(connection)
        assert connections.get(name, START) == noted != connection

    def test_who_saw_an_old_row_does_not_note_activity_twice_in_a_minute(
        self, connections: ConnectionStore, connection: Connection, name: str
    ) -> None:
        connections.save(connection)
        connections.record_activity(connection, connection.connected_at + ACTIVITY_INTERVAL)
        noted = connections.get(name, START)
        connections.record_activity(connection, connection.connected_at + 2 * ACTIVITY_INTERVAL - SECOND)
        assert connections.get(name, START) == noted

    @pytest.mark.parametrize("field", [field.name for field in fields(Connection) if field.name in KINDS])
    def test_what_a_field_is_not_is_refused_by_its_name_and_not_written(
        self, connections: ConnectionStore, connection: Connection, field: str
    ) -> None:
        optional = field == "request_id"
        for value in (one for one in BAD[field] if not (optional and one is None)):
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

    def test_a_list_of_more_than_one_page_is_whole(
        self, connections: ConnectionStore, connection: Connection, tables: Tables, name: str
    ) -> None:
        made = [replace(connection, connection_id=f"{name}-{n}") for n in range(5)]
        for one in made:
            connections.save(one)
            tables.pad("Connections", connection_id=one.connection_id)
        assert list(connections.list_by_tenant(name, START)) == made

    def test_a_stale_row_that_no_code_can_read_goes_all_the_same(
        self, connections: ConnectionStore, tables: Tables, name: str
    ) -> None:
        row = {"connection_id": {"S": name}, "ends_at": {"S": "2020-01-01T00:00:00.000Z"}}
        tables.client.put_item(TableName=tables.names["Connections"], Item=row)
        closed: list[str] = []
        connections.delete_stale(START, closed.append)
        assert name in closed
        assert connections.get(name, START) is None

    def test_an_unreadable_row_is_told_as_such(self, connections: ConnectionStore, tables: Tables, name: str) -> None:
        row = {"connection_id": {"S": name}, "tenant_id": {"S": "acme"}}
        tables.client.put_item(TableName=tables.names["Connections"], Item=row)
        with pytest.raises(Undecodable) as caught:
            connections.get(name, START)
        assert caught.value.context == {"field": "user_id", "connection_id": name}
