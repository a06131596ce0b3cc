"""Who is there: connections that open and close, and what they watch."""

from datetime import timedelta

from domain.connection import Connection, opened
from domain.identity import TENANT_READ, Identity
from domain.subscription import request_topic, subscription
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


def ask(world: World, connection_id: str, request_id: str, *, seen: int = 0, told: int = 0) -> None:
    """Let a connection watch one of Ann's requests, as a client that has so much of it and is answered up to there."""
    now = world.clock.now()
    made = subscription(request_topic(request_id), connection_id, identity(world), now, seen=seen, told=told)
    world.subscriptions.subscribe(made)
