"""Random lives, delivered at random with losses, repeats and crashes: every view made anew equals the live one."""

import io
import random
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from rich.console import Console

from domain.errors import Rejected
from projections.cursor import NOWHERE, Cursor
from tests.kit.calls import Crash, crash_after, crash_before, nth, refused, watched
from tests.kit.requests import Whose
from tests.kit.world import World, a_world
from tests.projectors.test_views_machine import Unguarded
from tools import building, parity, rebuild
from tools.operated import Operated
from tools.rebuild import Asked

if TYPE_CHECKING:
    from tests.kit.streams import Record

QUIET = Console(file=io.StringIO())
WRITES = ("BatchWriteItem", "TransactWriteItems", "UpdateItem", "BatchExecuteStatement", "SendMessageBatch")
MOVES = ("start", "start", "output", "complete", "fail", "cancel", "stop", "lose_worker", "renew", "progress")


def live(world: World, chance: random.Random) -> None:
    """Some requests of some tenants that move at random, told to the views at random."""
    ids: list[str] = []
    waiting: list[Record] = []
    delivered: list[Record] = []
    for _ in range(60):
        if not ids or chance.random() < 0.15:
            whose = Whose(chance.choice(("acme", "zeta")), chance.choice(("ann", "bob")))
            ids.append(world.requests.submit(whose, chance.choice(("echo", "report")), max_attempts=3))
        else:
            _move(world, chance.choice(ids), chance.choice(MOVES), chance)
        world.clock.advance(chance.choice((0, 1, 40)))
        waiting += world.records()
        if chance.random() < 0.3:
            chance.shuffle(waiting)
            batch, waiting = waiting[:8] + delivered[-3:], waiting[8:]
            delivered += batch
            fault = chance.choice((refused, crash_before, crash_after, None))
            with watched(fault, nth(chance.choice(WRITES), 0)), suppress(Crash):
                world.project_all(batch)
    newest = {record["dynamodb"]["Keys"]["request_id"]["S"]: record for record in [*delivered, *waiting]}
    world.project_all([*waiting, *newest.values()])


def _move(world: World, request_id: str, what: str, chance: random.Random) -> None:
    with suppress(Rejected):
        match what:
            case "output":
                world.requests.output(request_id, chance.random())
            case "progress":
                world.requests.progress(request_id, chance.randrange(101))
            case _:
                getattr(world.requests, what)(request_id)


def differences(world: World, directory: Path) -> list[str]:
    """Where any view differs from the one made anew."""
    aws = world.aws
    stack = Operated("world", aws.dynamodb, aws.sqs, aws.tables, aws.queue_url, int(aws.environment["QUEUE_SHARDS"]))
    asked = [Asked(view, until=world.clock.now() + timedelta(minutes=2), segments=2) for view in building.NAMES]
    reports = [rebuild.rebuild(stack, one, directory, world.clock, QUIET) for one in asked]
    return [f"{one.view} {one.key}: {one.what}" for report in reports for one in report.differences]


@pytest.mark.parametrize("seed", range(4))
def test_every_view_made_anew_equals_the_live_one(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(rebuild, "PAUSE", timedelta(0))
    live(world, random.Random(seed))
    assert differences(world, tmp_path) == []
    assert world.differences() == []


class Forgetful(Unguarded):
    """The broken twin: it knows of no cursor, and guards nothing by one."""

    def cursors(self, request_ids: Iterable[str]) -> dict[str, Cursor]:
        return dict.fromkeys(request_ids, NOWHERE)


def test_the_comparison_catches_views_without_a_cursor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "PAUSE", timedelta(0))
    monkeypatch.setattr(parity, "ROUNDS", 1)
    with a_world() as world, patch("adapters.views.Views", Forgetful):
        live(world, random.Random(1))
        assert any(line.startswith(("metrics", "gauges")) for line in differences(world, tmp_path))
