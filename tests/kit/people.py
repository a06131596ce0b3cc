"""Who is there: connections that open and close, and what they watch."""

from datetime import timedelta

from domain.connection import Connection, opened
from domain.identity import TENANT_READ, Identity
from domain.subscription import subscription
from tests.kit.requests import Whose
from tests.kit.world import World

ANN = Whose()


def identity(world: World, whose: Whose = ANN) -> Identity:
    """Who somebody is, for an hour from now."""
    return Identity(whose.tenant_id, whose.user_id, frozenset({TENANT_READ}), world.clock.now() + timedelta(hours=1))


def connect(world: World, connection_id: str, whose: Whose = ANN) -> Connection:
    """Open a connection now."""
    taken_as = f"connect of {connection_id}"
    connection = opened(connection_id, identity(world, whose), world.clock.now(), "127.0.0.1", "tests", taken_as)
    world.connections.save(connection)
    return connection


def watch(world: World, connection_id: str, topic: str, whose: Whose = ANN, frame: str = "f-0") -> None:
    """Let a connection watch a topic from now on, as a frame asks."""
    made = subscription(
        topic,
        connection_id,
        identity(world, whose),
        world.clock.now(),
        source_ip="127.0.0.1",
        correlation_id=frame,
        causation_id=f"frame {frame}",
    )
    world.subscriptions.subscribe(made)
