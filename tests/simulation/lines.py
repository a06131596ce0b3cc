"""The real broadcast over simulated lines: its rounds, pauses and patience are the project's, its posts are ours."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from adapters.broadcast import Broadcast
from adapters.clock import Clock
from adapters.signatures import Body
from tests.simulation.gateway import Gateway
from tests.simulation.time_machine import Machine
from tests.simulation.way import Network

T = TypeVar("T")
Post = tuple[str, Body]


def broadcast(machine: Machine, network: Network, gateway: Gateway, clock: Clock) -> Broadcast:
    """A broadcast that posts to simulated sockets."""
    signer: Any = _Unsigned()
    made: Any = Broadcast(signer, clock, asyncio.sleep)
    made._lines, made._runner = _Lines(network, gateway), _Runner(machine)
    told: Broadcast = made
    return told


class _Unsigned:
    """A signer whose requests are what is posted, and to whom."""

    endpoint = "http://simulated"

    def batch(self, _: datetime) -> "_Unsigned":
        return self

    def request(self, connection_id: str, body: Body) -> Post:
        return connection_id, body


@dataclass(frozen=True, slots=True)
class _Lines:
    network: Network
    gateway: Gateway

    async def ask(self, request: Post) -> int:
        connection_id, body = request
        status = 0
        try:
            status = await self.network.ask(
                "post_to_connection", lambda: self.gateway.asked(connection_id, body.content)
            )
        finally:
            self.gateway.attempted(connection_id, body.content.decode(), arrived=status == 200)
        return status


@dataclass(frozen=True, slots=True)
class _Runner:
    machine: Machine

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.machine.run(work)
