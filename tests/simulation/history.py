"""One history: a seed's world from its first connection until everything has come to rest after the last fault."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from unittest.mock import patch

from tests.simulation.aftermath import aftermath, calm
from tests.simulation.checkers import unsettled, violations
from tests.simulation.people import Person
from tests.simulation.time_machine import NothingLeft
from tests.simulation.world import World

FAULTS_S: Final = (40.0, 120.0)  # how long faults last
PATIENCE_S: Final = 3600.0  # within which everything has to come to rest once they have stopped
AFTERMATHS: Final = 0.2  # of the histories go on until their requests are kept no longer
_LOOK_S: Final = 2.0


@dataclass(slots=True)
class History:
    """What became of one seed."""

    seed: int
    violations: list[str] = field(default_factory=list)
    events: int = 0
    requests: int = 0
    deliveries: int = 0
    duplicates: int = 0
    frames: int = 0
    calls: int = 0
    invocations: int = 0
    poison: int = 0
    lost: int = 0
    told: int = 0
    recovery_steps: int = 0
    recovery_s: float = 0.0
    fired: dict[str, int] = field(default_factory=dict)
    crashes: dict[str, int] = field(default_factory=dict)


def run(seed: int, trace: Callable[[str], None] | None = None) -> History:
    """Run a seed; `trace` hears of every call to a service, when it began and ended and what it gave."""
    world = World(seed)
    world.network.trace = trace
    history = History(seed)
    people: list[Person] = []
    for tenant in ("acme", "globex"):
        for user in range(world.rng.randint(1, 2)):
            people.append(Person(world, tenant, f"{tenant}-{user}", people))
    try:
        with world.deployed(), patch("client.connection.dial", world.dial):
            try:
                world.loop.run_until_complete(_live(world, people, history))
            except NothingLeft:
                history.violations.append("nothing goes on, and not all has come to rest")
            finally:
                world.stop()
                world.loop.run_until_complete(asyncio.sleep(0))
                world.loop.run_until_complete(asyncio.sleep(0.01))
    finally:
        asyncio.set_event_loop(None)
        world.loop.close()
    _count(world, people, history)
    return history


async def _live(world: World, people: Sequence[Person], history: History) -> None:
    world.start()
    lives = [asyncio.ensure_future(person.live(FAULTS_S[1])) for person in people]
    await asyncio.sleep(world.faults.between(*FAULTS_S))
    world.faults.stopped = True
    steps, since = world.machine.processes, world.machine.now
    while left := unsettled(world, people):
        if world.machine.now - since > PATIENCE_S:
            history.violations += [f"after {PATIENCE_S:.0f} s without faults {what}" for what in left[:10]]
            break
        await asyncio.sleep(_LOOK_S)
    history.recovery_steps, history.recovery_s = world.machine.processes - steps, world.machine.now - since
    for life in lives:
        if life.done() and life.exception():
            history.violations.append(f"somebody's life ended: {life.exception()!r}")
    history.violations += violations(world, people)
    if world.rng.random() < AFTERMATHS and not history.violations:
        history.violations += [*await calm(world), *await aftermath(world)]


def _count(world: World, people: Sequence[Person], history: History) -> None:
    """Fill in the figures."""
    history.events = len(world.witness.appended)
    history.requests = len({request_id for request_id, _ in world.witness.appended})
    history.deliveries = sum(reader.delivered for reader in world.readers.values()) + world.queue.delivered
    handled = sum(len(read) for read in world.witness.read.values())
    history.duplicates = sum(reader.delivered for reader in world.readers.values()) - handled
    history.frames = world.gateway.frames
    history.calls = world.network.calls.made
    history.invocations = world.machine.processes
    history.poison = sum(len(stream.poison()) for stream in world.streams.values())
    history.lost = sum(len(entries) for name, entries in world.witness.lost.items() if name.startswith("ProjectViews"))
    history.told = sum(len(person.gave_up) for person in people)
    history.fired = dict(world.faults.fired)
    history.crashes = dict(world.faults.crashes)
