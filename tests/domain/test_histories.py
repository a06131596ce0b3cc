"""Logs as each schema version stored them, read by today's code. A history is added once and never edited."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.event_store import from_row, to_row
from domain import exact_json
from domain.events import EVENTS, SCHEMA
from domain.instant import from_text
from domain.recorded import RecordedEvent, first_break
from domain.request import fold
from domain.state import RequestState

HISTORIES: Final = sorted((Path(__file__).parents[1] / "fixtures" / "histories").glob("v*-*.json"))
ids = [path.stem for path in HISTORIES]


def load(path: Path) -> tuple[Sequence[RecordedEvent], dict[str, Any]]:
    history = exact_json.decode(path.read_bytes())
    return [from_row(row) for row in history["rows"]], history["state"]


def schema_of(path: Path) -> int:
    return int(path.stem.partition("-")[0].removeprefix("v"))


@pytest.mark.parametrize("path", HISTORIES, ids=ids)
def test_a_history_leads_to_the_state_it_led_to_then(path: Path) -> None:
    log, state = load(path)
    folded = fold((recorded.event(), from_text(recorded.at)) for recorded in log)
    assert folded == RequestState.of(exact_json.encode(state))
    stored = exact_json.decode(exact_json.encode(folded.snapshot()))
    assert {name: stored[name] for name in state} == state


@pytest.mark.parametrize("path", HISTORIES, ids=ids)
def test_a_history_is_whole_and_its_snapshots_are_its_folds(path: Path) -> None:
    log, _ = load(path)
    assert first_break(log) is None
    for end in range(1, len(log) + 1):
        folded = fold((recorded.event(), from_text(recorded.at)) for recorded in log[:end])
        assert folded == log[end - 1].snapshot()


@pytest.mark.parametrize("path", HISTORIES, ids=ids)
def test_a_history_loses_no_digit_and_no_letter(path: Path) -> None:
    for recorded in load(path)[0]:
        assert exact_json.encode(exact_json.decode(recorded.data)) == recorded.data
        assert to_row(recorded)["hash"] == {"B": recorded.hash}


def test_every_schema_version_has_a_history_of_its_own() -> None:
    assert {schema_of(path) for path in HISTORIES} == set(range(1, SCHEMA + 1))
    assert all(recorded.schema <= schema_of(path) for path in HISTORIES for recorded in load(path)[0])


def test_every_type_of_event_is_in_a_history_of_todays_schema() -> None:
    today = [recorded for path in HISTORIES for recorded in load(path)[0] if recorded.schema == SCHEMA]
    assert {recorded.type for recorded in today} == set(EVENTS)


def test_a_history_that_was_recorded_is_never_edited() -> None:
    folder = HISTORIES[0].parent
    recorded = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.json")} == recorded
