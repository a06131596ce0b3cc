"""`streamer audit verify` names the first event that is missing or altered, whatever was tampered with."""

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from rich.console import Console

from adapters.event_store import from_row, to_row
from tests.kit.stories import STORIES
from tests.kit.world import World
from tools import rebuild
from tools.operated import Operated
from tools.verify import verify

Verify = Callable[[], list[str]]


@pytest.fixture
def wrong(world: World, stack: Operated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verify:
    """What is wrong with a world in which every story was told."""
    monkeypatch.setattr(rebuild, "PAUSE", timedelta(0))
    for name, story in STORIES.items():
        if name != "expired":
            story(world.requests)
    world.project_all(world.records())
    return lambda: verify(stack, None, 2, tmp_path, world.clock, Console(file=io.StringIO()))


def _event(world: World, kind: str) -> dict[str, Any]:
    return next(row for row in world.aws.rows("Events") if row["type"]["S"] == kind)


def _key(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("request_id", "version")}


def _named(row: dict[str, Any], version: int | None = None) -> str:
    return f"{row['request_id']['S']} version {version or int(row['version']['N'])}: "


def test_nothing_is_wrong_with_what_nobody_touched(wrong: Verify) -> None:
    assert wrong() == []


@pytest.mark.parametrize("name", ["data", "at", "user_id", "correlation_id", "state"])
def test_an_event_that_was_altered_is_named(world: World, wrong: Verify, name: str) -> None:
    row = _event(world, "ProgressReported")
    changed = row[name]["S"].replace("1", "2", 1) if "1" in row[name]["S"] else f"{row[name]['S']}x"
    world.aws.dynamodb.put_item(TableName=world.aws.tables["Events"], Item={**row, name: {"S": changed}})
    [told] = wrong()
    assert told.startswith(f"{_named(row)}missing or altered in the log")


def test_an_event_that_was_removed_is_named(world: World, wrong: Verify) -> None:
    row = _event(world, "OutputAppended")
    world.aws.dynamodb.delete_item(TableName=world.aws.tables["Events"], Key=_key(row))
    [told] = wrong()
    assert told.startswith(_named(row))


def test_the_end_of_a_log_that_was_cut_off_is_named(world: World, wrong: Verify) -> None:
    row = _event(world, "RequestCompleted")
    world.aws.dynamodb.delete_item(TableName=world.aws.tables["Events"], Key=_key(row))
    [told] = wrong()
    assert told.startswith(f"{_named(row)}missing from the log")


def test_a_whole_log_that_was_removed_is_named(world: World, wrong: Verify) -> None:
    row = _event(world, "RequestCompleted")
    for event in world.aws.rows("Events"):
        if event["request_id"] == row["request_id"]:
            world.aws.dynamodb.delete_item(TableName=world.aws.tables["Events"], Key=_key(event))
    [told] = wrong()
    assert told.startswith(f"{_named(row, 1)}missing from the log")


@pytest.mark.parametrize("change", ["altered", "removed"])
def test_an_entry_of_the_audit_that_was_tampered_with_is_named(world: World, wrong: Verify, change: str) -> None:
    row = next(row for row in world.aws.rows("Audit") if row["type"]["S"] == "RequestCancelled")
    _, request_id, version = row["entry"]["S"].split("#")
    key = {name: row[name] for name in ("day", "entry")}
    if change == "altered":
        world.aws.dynamodb.put_item(TableName=world.aws.tables["Audit"], Item={**row, "detail": {"S": "{}"}})
    else:
        world.aws.dynamodb.delete_item(TableName=world.aws.tables["Audit"], Key=key)
    [told] = wrong()
    assert told.startswith(f"{request_id} version {int(version)}: ")


def test_an_event_whose_hash_was_made_to_fit_breaks_the_next(world: World, wrong: Verify) -> None:
    """A forger who hashes the altered event anew is given away by the next one, and by the audit's own copy."""
    row = _event(world, "AttemptStarted")
    event = structs.replace(from_row(row), user_id="mallory")
    event = structs.replace(event, hash=event.computed_hash())
    world.aws.dynamodb.put_item(TableName=world.aws.tables["Events"], Item=to_row(event))
    [told] = wrong()
    assert event.request_id in told
