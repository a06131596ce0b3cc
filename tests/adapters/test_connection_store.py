"""Connections when an answer is lost or does not come, and the writes that are saved; the rest is their contract."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from adapters.connection_store import ConnectionStore
from domain.connection import ACTIVITY_INTERVAL, CONNECTION_TTL, Connection, opened
from domain.errors import Unavailable
from domain.identity import Identity
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import START

SECOND = timedelta(seconds=1)


@pytest.fixture
def connection(name: str, identity: Identity) -> Connection:
    # A whole second, for a time to live has no finer step.
    return opened(name, identity, START.replace(microsecond=0), "127.0.0.1", "tests")


def test_saving_it_again_changes_nothing(
    connections: ConnectionStore, connection: Connection, dynamodb: Wrapped
) -> None:
    dynamodb.resend("put_item")
    connections.save(connection)
    connections.save(connection)
    assert connections.get(connection.connection_id, START) == connection


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
