"""`streamer audit export` writes a tenant's trail so that other programs can read it."""

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain import exact_json
from domain.errors import Undecodable
from tests.kit.requests import Whose
from tests.kit.world import World
from tools.export import COLUMNS, export, write
from tools.operated import Operated

BOB = Whose("acme", "bob")


def nothing(left_out: Undecodable) -> None:
    raise AssertionError(left_out)


def told(world: World) -> None:
    """Two users' requests, on two days."""
    for whose in (Whose(), BOB):
        world.requests.complete(_started(world, whose))
    world.clock.advance(by=timedelta(days=1))
    world.requests.complete(_started(world, BOB))
    world.project_all(world.records())


def _started(world: World, whose: Whose) -> str:
    request_id = world.requests.submit(whose)
    world.requests.start(request_id)
    return request_id


def test_json_lines_have_every_entry_of_the_days_as_the_view_has_it(
    world: World, stack: Operated, tmp_path: Path
) -> None:
    told(world)
    last = world.clock.now().date()
    first = last - timedelta(days=1)
    out = tmp_path / "trail.jsonl"
    assert export(stack, "acme", first, last, None, "jsonl", out, nothing) == 9
    entries = [exact_json.decode(line) for line in out.read_text().splitlines()]
    assert entries == [*stack.tenant("acme").audit(first), *stack.tenant("acme").audit(last)]
    assert export(stack, "acme", last, last, None, "jsonl", out, nothing) == 3


def test_the_entries_of_one_user_alone_may_be_written(world: World, stack: Operated, tmp_path: Path) -> None:
    told(world)
    last = world.clock.now().date()
    out = tmp_path / "trail.csv"
    assert export(stack, "acme", last - timedelta(days=1), last, "bob", "csv", out, nothing) == 6
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert {row["user_id"] for row in rows} == {"bob"}
    assert [row["type"] for row in rows] == ["RequestSubmitted", "AttemptStarted", "RequestCompleted"] * 2


@pytest.mark.parametrize("spoilt", [[0], [8], [1, 2], [0, 4, 7], list(range(9))])
def test_what_no_code_can_read_is_left_out_and_told_and_the_rest_is_written(
    world: World, stack: Operated, tmp_path: Path, spoilt: list[int]
) -> None:
    told(world)
    last = world.clock.now().date()
    first = last - timedelta(days=1)
    rows = sorted(world.aws.rows("Audit"), key=lambda row: row["entry"]["S"])
    whole = [*stack.tenant("acme").audit(first), *stack.tenant("acme").audit(last)]
    for place in spoilt:
        spoil(world, rows[place], {"S": "{"})
    left_out: list[Undecodable] = []
    out = tmp_path / "trail.jsonl"

    assert export(stack, "acme", first, last, None, "jsonl", out, left_out.append) == 9 - len(spoilt)

    entries = [exact_json.decode(line) for line in out.read_text().splitlines()]
    assert entries == [entry for place, entry in enumerate(whole) if place not in spoilt]
    assert [one.context["entry"] for one in left_out] == [rows[place]["entry"]["S"] for place in spoilt]


def test_an_entry_with_what_no_table_of_ours_holds_is_left_out_too(
    world: World, stack: Operated, tmp_path: Path
) -> None:
    told(world)
    day = world.clock.now().date()
    row = world.aws.rows("Audit")[0]
    spoil(world, row, {"NULL": True})
    left_out: list[Undecodable] = []
    first = day - timedelta(days=1)
    assert export(stack, "acme", first, day, None, "jsonl", tmp_path / "trail", left_out.append) == 8
    assert [one.context for one in left_out] == [{"field": "detail", "entry": row["entry"]["S"]}]


def spoil(world: World, row: Any, detail: dict[str, Any]) -> None:
    world.aws.dynamodb.put_item(TableName=world.aws.tables["Audit"], Item={**row, "detail": detail})


def test_a_table_keeps_lines_and_commas_and_gives_a_spreadsheet_no_formula() -> None:
    entry = {"at": "2026-01-01T00:00:00.000Z", "type": "X", "user_agent": "=1+1", "action": 'a,"b"\nc', "more": [1]}
    file = io.StringIO()
    assert write([entry], "csv", file) == 1
    (row,) = csv.DictReader(io.StringIO(file.getvalue()))
    assert list(row) == [*COLUMNS, "detail"]
    assert (row["action"], row["user_agent"], row["detail"]) == ('a,"b"\nc', "'=1+1", '{"more":[1]}')


def test_a_trail_without_entries_has_a_head_and_nothing_else() -> None:
    file = io.StringIO()
    assert write([], "csv", file) == 0
    assert file.getvalue().splitlines() == [",".join([*COLUMNS, "detail"])]
