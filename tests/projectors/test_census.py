"""How much there is, for operators: counted by the sweeper each minute, at a bounded cost."""

import json
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from adapters import census as module
from adapters.census import Census, Counted
from domain.errors import Unavailable
from handlers import bootstrap, sweep
from tests.kit.calls import each, refused, watched
from tests.kit.people import connect, watch
from tests.kit.requests import Whose
from tests.kit.small_pages import SmallPages
from tests.kit.world import World


@pytest.fixture
def census(world: World) -> Census:  # noqa: ARG001 - the handlers' parts are the world's
    return bootstrap.census()


def test_what_there_is_of_all_tenants_is_counted_together(world: World, census: Census) -> None:
    for tenant in ("acme", "zeta"):
        waiting, running, ended = (world.requests.submit(Whose(tenant, "ann")) for _ in range(3))
        world.requests.start(running)
        world.requests.cancel(ended)
        world.requests.start(waiting)
        world.requests.fail(waiting)
    world.project(world.records())
    for name in ("c-1", "c-2"):
        watch(world, name, "tenant#acme")
        watch(world, name, "user#acme#ann")

    for _ in range(2):
        assert census.take() == Counted(queued=2, running=2, subscriptions=4)


def test_a_long_table_is_counted_over_some_turns_and_each_row_once(
    world: World, census: Census, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGES", 2)
    for number in range(9):
        watch(world, f"c-{number}", "tenant#acme")

    with patch.object(census, "_client", SmallPages(world.aws.dynamodb, 2)):
        assert [census.take().subscriptions for _ in range(6)] == [None, None, 9, None, None, 9]
    assert world.differences() == []  # the place is no row of counts


def test_two_turns_at_once_count_nothing_twice(world: World, census: Census, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGES", 1)
    for number in range(5):
        watch(world, f"c-{number}", "tenant#acme")
    limited = SmallPages(world.aws.dynamodb, 2)

    def both(**arguments: Any) -> Any:
        """Before one turn reads on, another one runs from the same place to its end."""
        limited.scan = limited.small
        assert census.take().subscriptions is None
        return limited.small(**arguments)

    with patch.object(census, "_client", limited):
        limited.scan = both
        assert census.take().subscriptions is None
        assert [census.take().subscriptions for _ in range(2)] == [None, 5]


def test_a_turn_that_fails_is_taken_again(world: World, census: Census, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGES", 1)
    for number in range(3):
        watch(world, f"c-{number}", "tenant#acme")

    with patch.object(census, "_client", SmallPages(world.aws.dynamodb, 2)):
        with watched(refused, each("PutItem")), pytest.raises(Unavailable):
            census.take()
        assert [census.take().subscriptions for _ in range(2)] == [None, 3]


def test_a_long_queue_is_told_as_at_least_so_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(7):
        world.requests.submit()
    world.project(world.records())
    monkeypatch.setattr(module, "PAGES", 2)
    statuses = bootstrap.request_view().statuses

    with watched() as calls, patch.object(statuses, "_client", SmallPages(world.aws.dynamodb, 2)):
        told = bootstrap.census().take()

    assert told.queued == 2 * 2
    assert len([call for call in calls.made if call.operation == "Query"]) == 2 + 1 + 1  # pending, retrying, running


def test_the_sweeper_tells_operators_each_minute(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.requests.start(world.requests.submit())
    world.requests.submit()
    world.project(world.records())
    for name in ("c-1", "c-2", "c-3"):
        connect(world, name)
        watch(world, name, "tenant#acme")
    capsys.readouterr()

    assert _told(capsys) == {"Queued": [1.0], "Running": [1.0], "Connections": [3.0], "Subscriptions": [3.0]}
    world.clock.advance(by=timedelta(days=2))  # every connection is stale by then, and closed
    assert _told(capsys)["Connections"] == [0.0]  # told also when there is none


def _told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    with patch.object(bootstrap, "sockets", _Closing):
        sweep._sweeper.cache_clear()
        sweep.handler({}, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    figures: dict[str, Any] = {}
    for line in (line for line in lines if "_aws" in line):
        assert line["service"] == "streamer"
        figures |= line
    return {name: figures[name] for name in ("Queued", "Running", "Connections", "Subscriptions")}


class _Closing:
    def close(self, connection_id: str) -> None:
        """Close a socket."""
