"""A view made anew from the log equals the live one, while traffic goes on; what differs is named, and mended."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import patch

import pytest
from rich.console import Console

from adapters.items import from_item
from adapters.view_writes import sharded
from projections import catalog, metrics
from tests.kit.calls import Crash, crash_before, nth, watched
from tests.kit.people import connect
from tests.kit.requests import Whose
from tests.kit.stories import STORIES
from tests.kit.world import World
from tools import building, rebuild, shadow
from tools.operated import Operated
from tools.rebuild import Asked, Report
from tools.shadow import Shadow

VIEWS = building.NAMES
QUIET = Console(file=io.StringIO())


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "PAUSE", timedelta(0))


@pytest.fixture
def made_anew(world: World, stack: Operated, tmp_path: Path) -> Callable[..., Report]:
    """Make a view anew, compared up to now."""

    def make(view: str, **asked: Any) -> Report:
        given: Mapping[str, Any] = {"until": world.clock.now() + timedelta(minutes=5), "segments": 2, **asked}
        return rebuild.rebuild(stack, Asked(view, **given), tmp_path, world.clock, QUIET)

    return make


def tell(world: World) -> None:
    """Every story but the one that takes days."""
    for name, story in STORIES.items():
        if name != "expired":
            story(world.requests)


def _told(world: World) -> None:
    tell(world)
    connect(world, "c-1")
    world.project_all(world.records())
    world.project(world.records("Connections"))


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_made_anew_equals_the_live_one(world: World, made_anew: Callable[..., Report], view: str) -> None:
    _told(world)
    report = made_anew(view)
    assert report.differences == []
    assert report.events == len(world.aws.rows("Events"))
    assert report.rows > 0


@pytest.mark.parametrize("view", VIEWS)
def test_traffic_that_goes_on_makes_no_difference(world: World, made_anew: Callable[..., Report], view: str) -> None:
    _told(world)
    until = world.clock.now()
    running = [world.requests.submit() for _ in range(3)]
    moves = iter(range(100))

    def go_on(*_: object) -> None:
        world.clock.advance(61)
        number = next(moves)
        if number == 1:
            world.requests.start(running[0])
        if number == 2:
            world.requests.complete(running[0])
        world.requests.submit(Whose("acme", f"user-{number}"))
        if number < 8:
            world.project_all(world.records())

    with patch.object(rebuild, "pause", go_on), patch.object(building, "_LARGEST_READ", 7):
        real = building.pages

        def pages(*arguments: Any, **options: Any) -> Any:
            for page in real(*arguments, **options):
                yield page
                if arguments[1] == "Events" and next(moves) % 5 == 0:
                    go_on()

        with patch.object(building, "pages", pages):
            assert made_anew(view, until=until, segments=1).differences == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_rebuild_that_is_interrupted_goes_on_where_it_was(
    world: World, made_anew: Callable[..., Report], view: str
) -> None:
    _told(world)
    with patch.object(building, "_LARGEST_READ", 10):
        with watched(crash_before, nth("Scan", 2)), pytest.raises(Crash):
            made_anew(view, segments=1)
        with watched() as calls:
            report = made_anew(view, segments=1)
    events = [call for call in calls.of("Scan") if call.arguments["TableName"].endswith("Events")]
    assert "ExclusiveStartKey" in events[0].arguments
    assert 0 < report.events < len(world.aws.rows("Events"))
    assert report.differences == []


def test_a_row_that_was_changed_is_named_and_mended(world: World, made_anew: Callable[..., Report]) -> None:
    _told(world)
    key = world.aws.rows("Requests")[0]["request_id"]
    world.aws.dynamodb.update_item(
        TableName=world.aws.tables["Requests"],
        Key={"request_id": key},
        UpdateExpression="SET user_id = :mallory",
        ExpressionAttributeValues={":mallory": {"S": "mallory"}},
    )
    [difference] = made_anew("requests").differences
    assert (difference.key, difference.what) == ((key["S"],), "differs in user_id")

    report = made_anew("requests", switch=True)
    assert report.mended is not None
    assert (report.mended.mended, report.mended.left) == (1, 0)
    assert made_anew("requests").differences == []
    assert world.differences() == []


def test_rows_that_are_missing_or_behind_are_brought_up_with_their_counts(
    world: World, stack: Operated, made_anew: Callable[..., Report]
) -> None:
    _told(world)
    missing = world.requests.submit()
    moving = world.requests.submit()
    world.project_all([r for r in world.records() if r["dynamodb"]["Keys"]["request_id"]["S"] == moving])
    world.requests.start(moving)
    world.records()  # lost

    found = {one.key[0]: one.what for one in made_anew("requests").differences}
    assert found == {missing: "behind: version 0 of 1", moving: "behind: version 1 of 2"}
    made_anew("requests", switch=True)

    assert world.differences() == []
    assert [made_anew(view).differences for view in VIEWS] == [[]] * len(VIEWS)
    assert any(missing in token for token in world.aws.tokens())
    assert stack.views.cursors([moving])[moving].version == 2


def test_a_row_without_a_log_is_named_and_goes(world: World, made_anew: Callable[..., Report]) -> None:
    _told(world)
    row = dict(world.aws.rows("Requests")[0])
    world.aws.dynamodb.put_item(TableName=world.aws.tables["Requests"], Item={**row, "request_id": {"S": "made-up"}})
    [difference] = made_anew("requests", switch=True).differences
    assert (difference.key, difference.what) == (("made-up",), "it has no log")
    assert world.differences() == []


@pytest.mark.parametrize("view", ["requests", "audit"])
def test_the_rows_of_a_log_that_no_code_can_read_are_named_and_left(
    world: World, made_anew: Callable[..., Report], view: str
) -> None:
    _told(world)
    event = next(row for row in world.aws.rows("Events") if row["type"]["S"] == "RequestCompleted")
    world.aws.dynamodb.put_item(TableName=world.aws.tables["Events"], Item={**event, "at": {"S": "once"}})
    rows = {name: sorted(world.aws.rows(name), key=repr) for name in ("Requests", "Audit")}

    report = made_anew(view, switch=True)

    assert report.mended is not None
    assert report.mended.left == len(report.differences) > 0
    assert all("no code can read its log" in one.what for one in report.differences)
    assert {name: sorted(world.aws.rows(name), key=repr) for name in rows} == rows


@pytest.mark.parametrize("change", ["altered", "removed", "made up"])
def test_an_entry_of_the_audit_that_is_not_what_the_log_says_is_named_and_mended(
    world: World, made_anew: Callable[..., Report], change: str
) -> None:
    _told(world)
    row = next(row for row in world.aws.rows("Audit") if row["type"]["S"] == "RequestCompleted")
    table, key = world.aws.tables["Audit"], {"day": row["day"], "entry": row["entry"]}
    at, request_id, version = row["entry"]["S"].split("#")
    if change == "altered":
        world.aws.dynamodb.put_item(TableName=table, Item={**row, "user_id": {"S": "mallory"}})
    elif change == "removed":
        world.aws.dynamodb.delete_item(TableName=table, Key=key)
    else:
        world.aws.dynamodb.put_item(TableName=table, Item={**row, "entry": {"S": f"{at}#{request_id}#0000000099"}})

    [difference] = made_anew("audit", switch=True).differences

    what = {"altered": "differs in user_id", "removed": "missing", "made up": "the log has no such event"}[change]
    assert difference.what.startswith(f"{request_id} version {99 if change == 'made up' else int(version)}: {what}")
    assert made_anew("audit").differences == []
    assert world.differences() == []


@pytest.mark.parametrize("view", catalog.COUNTS)
def test_counts_that_drifted_are_named_and_mended(world: World, made_anew: Callable[..., Report], view: str) -> None:
    _told(world)
    rows = [row for row in map(from_item, world.aws.rows("Metrics")) if catalog.kept_by(row["scope"]) == view]
    name = "queued" if view == "gauges" else "submitted"
    row = next(row for row in rows if name in row)
    for shard in (0, 2):
        world.aws.dynamodb.update_item(
            TableName=world.aws.tables["Metrics"],
            Key={n: {"S": v} for n, v in sharded({"scope": row["scope"], "minute": row["minute"]}, shard).items()},
            UpdateExpression=f"ADD {name} :many",
            ExpressionAttributeValues={":many": {"N": "7"}},
        )
    [difference] = made_anew(view, switch=True).differences
    assert difference.what == f"{name} {row[name] + 14}, not {row[name]}"
    assert made_anew(view).differences == []
    assert world.differences() == []


def test_one_tenant_may_be_made_anew_alone(world: World, made_anew: Callable[..., Report]) -> None:
    _told(world)
    counts = {view: made_anew(view, tenant_id="zeta") for view in VIEWS}
    assert {view: report.differences for view, report in counts.items()} == {view: [] for view in VIEWS}
    of_zeta = [row for row in world.aws.rows("Requests") if row["tenant_id"]["S"] == "zeta"]
    assert 0 < counts["requests"].rows == len(of_zeta) < len(world.aws.rows("Requests"))


def test_what_is_before_the_period_is_not_compared(world: World, made_anew: Callable[..., Report]) -> None:
    _told(world)
    for row in world.aws.rows("Metrics"):
        if row["minute"]["S"] != "now":
            world.aws.dynamodb.delete_item(
                TableName=world.aws.tables["Metrics"], Key={name: row[name] for name in ("scope", "minute")}
            )
    assert made_anew("metrics", since=world.clock.now() + timedelta(minutes=1)).differences == []
    assert made_anew("metrics").differences != []


def test_a_log_that_has_expired_is_no_difference(world: World, made_anew: Callable[..., Report]) -> None:
    _told(world)
    world.clock.advance(by=timedelta(days=8))
    world.requests.submit()
    world.project_all(world.records())
    half = sorted(world.aws.rows("Events"), key=lambda row: row["event_id"]["S"])[::2]
    for row in half[:-1]:
        world.aws.dynamodb.delete_item(
            TableName=world.aws.tables["Events"], Key={name: row[name] for name in ("request_id", "version")}
        )
    for view in ("requests", "audit", "metrics"):
        assert made_anew(view).differences == []


def test_the_comparison_sees_a_view_that_counts_otherwise(world: World, made_anew: Callable[..., Report]) -> None:
    """The broken twin: a projector that counts an event at its second delivery too."""
    with patch.dict(catalog.COUNTS, {"metrics": lambda events, before: metrics.project([*events, events[-1]], before)}):
        _told(world)
    assert made_anew("metrics").differences


def test_a_request_whose_log_lies_in_two_segments_is_taken_once(world: World, made_anew: Callable[..., Report]) -> None:
    """Moto spreads a log over segments, as DynamoDB may a long one."""
    for _ in range(2):
        tell(world)
    world.project_all(world.records())
    with patch.object(building, "_LARGEST_READ", 3):
        for view in VIEWS:
            assert made_anew(view, segments=4).differences == []


def test_who_interrupts_a_rebuild_waits_for_pages_not_for_the_log(
    world: World, stack: Operated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One segment fails; the other one, which waits for its page meanwhile, takes in nothing more."""
    tell(world)
    stopping = Event()
    monkeypatch.setattr(building, "Event", lambda: stopping)
    rows = world.aws.rows("Events")

    def pages(*asked: Any) -> Iterator[Any]:
        if asked[3] == 0:
            raise KeyboardInterrupt
        assert stopping.wait(60)
        yield from (([row], {"request_id": row["request_id"]}) for row in rows)

    monkeypatch.setattr(building, "pages", pages)
    with closing(Shadow(tmp_path / "shadow")) as made:
        with pytest.raises(KeyboardInterrupt):
            building.build(stack, building.Plan("audit", world.clock.now(), segments=2), made)
        assert made.events() == 0


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_read_of_a_shadow_some_rows_at_a_time_is_all_of_it(
    world: World, made_anew: Callable[..., Report], view: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _told(world)
    whole = made_anew(view)
    table = {"requests": "Requests", "audit": "Audit"}.get(view, "Metrics")
    keys = {"Requests": ("request_id",), "Audit": ("day", "entry"), "Metrics": ("scope", "minute")}[table]
    for row in world.aws.rows(table):
        key = {name: row[name] for name in keys}
        world.aws.dynamodb.delete_item(TableName=world.aws.tables[table], Key=key)

    missing = made_anew(view).differences
    monkeypatch.setattr(shadow, "PAGE", 2)
    found = made_anew(view)

    assert (found.rows, found.differences) == (whole.rows, missing)
    assert len(missing) > 2 or view == "gauges"
