"""A connection's row is made once, told of only while it lives, and never made by anything but a connect."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.connection_store import YOUNG, ConnectionStore
from domain.connection import ACTIVITY_INTERVAL, CONNECTION_TTL, Connection, opened
from domain.errors import Conflict, Unavailable
from domain.identity import Identity
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import START, FakeClock

SECOND = timedelta(seconds=1)


@pytest.fixture
def connection(name: str, identity: Identity) -> Connection:
    # A whole second, for a time to live has no finer step.
    return opened(name, identity, START.replace(microsecond=0), "127.0.0.1", "tests")


def test_a_saved_connection_is_found_as_it_was(connections: ConnectionStore, connection: Connection) -> None:
    connections.save(connection)
    assert connections.get(connection.connection_id, START) == connection


def test_another_connection_cannot_take_its_id(connections: ConnectionStore, connection: Connection) -> None:
    connections.save(connection)
    with pytest.raises(Conflict):
        connections.save(replace(connection, user_id="eve", connected_at=START + SECOND))
    assert connections.get(connection.connection_id, START) == connection


def test_saving_it_again_changes_nothing(
    connections: ConnectionStore, connection: Connection, dynamodb: Wrapped
) -> None:
    dynamodb.resend("put_item")
    connections.save(connection)
    connections.save(connection)
    assert connections.get(connection.connection_id, START) == connection


def test_a_row_that_has_expired_is_not_there(connections: ConnectionStore, connection: Connection, name: str) -> None:
    connections.save(connection)
    late = connection.expires_at
    assert connections.get(name, late - SECOND) == connection
    assert connections.get(name, late) is None
    assert list(connections.list_by_user(name, "ann", late - SECOND)) == [connection]
    assert list(connections.list_by_user(name, "ann", late)) == []
    assert list(connections.list_by_tenant(name, late)) == []


def test_an_unknown_connection_is_not_there(connections: ConnectionStore, name: str) -> None:
    assert connections.get(name, START) is None
    connections.delete(name)


def test_lists_keep_to_their_user_and_tenant(connections: ConnectionStore, connection: Connection, name: str) -> None:
    other = replace(connection, connection_id=f"{name}b", user_id="bob")
    foreign = replace(connection, connection_id=f"{name}c", tenant_id=f"{name}x")
    for one in (connection, other, foreign):
        connections.save(one)
    assert list(connections.list_by_user(name, "ann", START)) == [connection]
    assert list(connections.list_by_tenant(name, START)) == [connection, other]


def test_a_list_of_more_than_one_page_is_whole(connections: ConnectionStore, connection: Connection, name: str) -> None:
    made = [replace(connection, connection_id=f"{name}-{n}", user_agent="x" * 300_000) for n in range(5)]
    for one in made:
        connections.save(one)
    assert list(connections.list_by_tenant(name, START)) == made


def test_activity_is_written_at_most_once_a_minute(
    connections: ConnectionStore, connection: Connection, dynamodb: Wrapped, name: str
) -> None:
    connections.save(connection)
    connections.record_activity(connection, connection.connected_at + ACTIVITY_INTERVAL - SECOND)
    assert dynamodb.count("update_item") == 0
    active_at = connection.connected_at + ACTIVITY_INTERVAL
    connections.record_activity(connection, active_at)
    noted = connections.get(name, START)
    assert noted == replace(connection, last_active_at=active_at, expires_at=active_at + CONNECTION_TTL)
    connections.record_activity(noted, active_at + SECOND)
    assert dynamodb.count("update_item") == 1


def test_activity_never_makes_a_row(connections: ConnectionStore, connection: Connection, name: str) -> None:
    connections.record_activity(connection, START + ACTIVITY_INTERVAL)
    assert connections.get(name, START) is None


def test_late_news_of_activity_does_not_undo_newer(
    connections: ConnectionStore, connection: Connection, name: str
) -> None:
    connections.save(connection)
    connections.record_activity(connection, START + 5 * ACTIVITY_INTERVAL)
    connections.record_activity(connection, START + 2 * ACTIVITY_INTERVAL)
    noted = connections.get(name, START)
    assert noted is not None
    assert noted.last_active_at == START + 5 * ACTIVITY_INTERVAL


def test_a_gone_connection_is_removed_unless_it_may_still_be_opening(
    connections: ConnectionStore, connection: Connection, name: str
) -> None:
    connections.save(connection)
    assert not connections.delete_gone(name, connection.connected_at + YOUNG)
    assert connections.get(name, START) == connection
    assert connections.delete_gone(name, connection.connected_at + YOUNG + SECOND)
    assert connections.get(name, START) is None
    assert not connections.delete_gone(name, START + timedelta(days=1))


def test_the_ended_are_those_whose_token_or_time_is_over(
    connections: ConnectionStore, connection: Connection, clock: FakeClock, name: str
) -> None:
    day = timedelta(days=1)
    now = clock.now().replace(microsecond=0) + 2 * day
    long = replace(connection, ends_at=now + SECOND, expires_at=now + SECOND)
    token_over = replace(long, connection_id=f"{name}-token", ends_at=now)
    silent = replace(long, connection_id=f"{name}-silent", expires_at=now)
    for one in (long, token_over, silent):
        connections.save(one)
    ended = {one.connection_id for one in connections.ended(now)} & {name, f"{name}-token", f"{name}-silent"}
    assert ended == {f"{name}-token", f"{name}-silent"}


def test_a_store_that_does_not_answer_is_unavailable(
    connections: ConnectionStore, connection: Connection, dynamodb: Wrapped
) -> None:
    error = client_error("ThrottlingException")
    for operation in ("put_item", "get_item", "update_item"):
        dynamodb.fail(operation, error)
    dynamodb.fail("delete_item", error, times=2)
    late = connection.connected_at + ACTIVITY_INTERVAL
    for call in (
        lambda: connections.save(connection),
        lambda: connections.get(connection.connection_id, START),
        lambda: connections.record_activity(connection, late),
        lambda: connections.delete(connection.connection_id),
        lambda: connections.delete_gone(connection.connection_id, late),
    ):
        with pytest.raises(Unavailable):
            call()
