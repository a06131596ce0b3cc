"""What project_views tells CloudWatch: the counts that it has just added to the metrics view, each once."""

import json
from typing import Any

import pytest

from tests.kit.calls import nth, refused, watched
from tests.kit.requests import Whose
from tests.kit.world import World


def _figures(text: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def test_the_counts_of_an_action_go_to_cloudwatch_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    for tenant in ("acme", "zeta"):
        request_id = world.requests.submit(Whose(tenant, "ann"), "report")
        world.requests.start(request_id)
        world.requests.progress(request_id, 10)
        world.requests.complete(request_id)
    records = world.records()
    capsys.readouterr()

    for _ in range(2):
        world.project(records)

    [told] = _figures(capsys.readouterr().out)
    assert (told["action"], told["service"]) == ("report", "streamer")
    assert told["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"], ["service", "action"]]
    counts = {name: told[name] for name in ("Submitted", "Started", "Completed", "Messages")}
    assert counts == {"Submitted": [2.0], "Started": [2.0], "Completed": [2.0], "Messages": [8.0]}
    assert told["WaitTime"] == [117.0, 117.0]
    assert told["RunTime"] == [235.0, 235.0]
    assert "Failed" not in told


def test_what_was_not_committed_is_not_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.requests.submit()
    records = world.records()
    capsys.readouterr()

    with watched(refused, nth("TransactWriteItems", 0)):
        world.project(records)

    assert _figures(capsys.readouterr().out) == []
    world.project(records)
    [told] = _figures(capsys.readouterr().out)
    assert told["Submitted"] == [1.0]
