"""Connections that are there, and sockets that only close."""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from adapters.connection_store import ConnectionStore
from domain.connection import Connection, opened
from domain.errors import Gone, Unavailable
from domain.identity import Identity


class Closing:
    """Sockets that only close."""

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.gone: set[str] = set()
        self.stuck: set[str] = set()

    def close(self, connection_id: str) -> None:
        """Close a socket, unless it has closed by itself."""
        if connection_id in self.gone:
            raise Gone
        if connection_id in self.stuck:
            raise Unavailable
        self.closed.append(connection_id)


def connected(connections: ConnectionStore, name: str, now: datetime, **fields: Any) -> Connection:
    identity = Identity("acme", "ann", frozenset(), now + timedelta(hours=1))
    connection = replace(opened(name, identity, now, "", ""), **fields)
    connections.save(connection)
    return connection
