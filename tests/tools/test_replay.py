"""A recording leads to the same rows however it was delivered, and to those that the stack itself would write."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from adapters.event_store import EventStore, from_row
from adapters.items import from_item
from adapters.stream_records import Delivered
from domain import exact_json
from tests.kit import replay as kit
from tests.kit.record_streams import FIXTURES
from tests.kit.world import World, a_world
from tools import arguments, replay
from tools.registry import PROJECTIONS, Row

RECORDINGS = sorted(FIXTURES.glob("*.json"))
VIEWS = {"requests": "Requests", "audit": "Audit", "metrics": "Metrics"}


@pytest.fixture
def world() -> Iterator[World]:
    with a_world() as made:
        yield made


@pytest.mark.parametrize("projection", PROJECTIONS)
@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_every_recording_leads_to_the_same_rows_twice_backwards_and_shuffled(file: Path, projection: str) -> None:
    assert kit.differences(kit.records_of(file), projection, seeds=range(5)) == []


@pytest.mark.parametrize("projection", VIEWS)
@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_the_rows_are_those_that_the_stack_writes(world: World, file: Path, projection: str) -> None:
    records = kit.records_of(file)
    log = EventStore(world.aws.dynamodb, world.aws.tables["Events"])
    for record in records if "events" in file.stem else []:
        log.append(from_row(record["dynamodb"]["NewImage"]))
    world.project_all(records)

    written = [_sorted(from_item(row)) for row in world.aws.rows(VIEWS[projection])]
    replayed = [_sorted(_as_stored(row)) for row in kit.rows_of(records, projection)]
    assert sorted(replayed, key=str) == sorted(written, key=str)


@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_log_fans_out_and_wakes_but_who_comes_and_goes_does_not(projection: str) -> None:
    rows = {
        name: kit.rows_of(kit.records_of(FIXTURES / f"moto-{name}.json"), projection)
        for name in ("events", "connections")
    }
    assert rows["events"]
    assert bool(rows["connections"]) == (projection in ("audit", "metrics"))


def test_the_command_line_names_every_projection() -> None:
    assert tuple(PROJECTIONS) == arguments.PROJECTIONS


def test_the_comparison_sees_a_reader_that_takes_records_as_they_come() -> None:
    """The broken twin: neither ordered by version nor each version once."""
    records = kit.records_of(FIXTURES / "moto-events.json")

    def as_they_come(delivered: list[Delivered]) -> dict[str, list[Delivered]]:
        names = {one.event.request_id for one in delivered}
        return {name: [one for one in delivered if one.event.request_id == name] for name in names}

    with patch.object(replay, "by_request", as_they_come):
        assert kit.differences(records, "requests", seeds=range(3))


def _as_stored(row: Row) -> Row:
    return {**row, **{name: exact_json.encode(row[name]) for name in ("state", "detail") if name in row}}


def _sorted(row: Row) -> Row:
    return {name: row[name] for name in sorted(row)}
