"""The verdict finds what is told wrongly, and a run that has not had every fault does not pass."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from msgspec import structs

from tests.faults.__main__ import TWIN
from tests.faults.functions import HANDLERS
from tests.faults.proxy import OTHERS, OUTAGE, TABLES
from tests.faults.users import Ack
from tests.faults.verdict import Logs, never_fired, stored_twice, together, told_wrongly
from tests.simulation.mutants import MUTANTS
from tests.soak.test_judge import COMPLETED, SUBMITTED, log, started

STATES = ("PENDING", "PROCESSING", "COMPLETED")
WHOLE: Logs = {
    "one": [
        structs.replace(event, state=f'{{"status":"{status}"}}')
        for event, status in zip(log("one", SUBMITTED, started(1), COMPLETED), STATES, strict=True)
    ]
}
ACK = Ack("one", 1, "PENDING", is_duplicate=False, sent=1)

WRONG: Mapping[str, tuple[Ack, str]] = {
    "of nothing": (replace(ACK, request_id="two"), "not in the log"),
    "of more than there is": (replace(ACK, version=4), "not in the log"),
    "of another status": (replace(ACK, status="PROCESSING"), "not in the log"),
    "of a duplicate that is none": (replace(ACK, is_duplicate=True), "submitted once"),
}


def test_nothing_is_wrong_with_what_is_so() -> None:
    again = replace(ACK, is_duplicate=True, sent=2, version=3, status="COMPLETED")
    assert list(told_wrongly([ACK, again], [], WHOLE)) == []


@pytest.mark.parametrize("what", WRONG)
def test_an_acknowledgement_of_what_is_not_so_is_found(what: str) -> None:
    ack, fault = WRONG[what]
    [found] = told_wrongly([ack], [], WHOLE)
    assert fault in found


def test_a_cancel_that_was_acknowledged_and_is_not_there_is_found() -> None:
    assert len(list(told_wrongly([], ["one", "two"], WHOLE))) == 2


def test_an_event_that_is_there_twice_is_found() -> None:
    events = [structs.replace(event, event_id=str(event.version)) for event in WHOLE["one"]]
    assert list(stored_twice({"one": events})) == []
    assert len(list(stored_twice({"one": [*events, structs.replace(events[0], version=4)]}))) == 1


def test_a_fault_that_never_fired_is_named() -> None:
    counts = together({"slow": 1, "throttled": 0}, Counter({"killed: work": 0}), {"slow": 2})
    assert counts["slow"] == 3
    assert never_fired(counts) == ["killed: work", "throttled"]


def test_every_kind_of_fault_is_one_that_the_proxy_makes() -> None:
    for kind, rule in [*TABLES, *OTHERS]:
        assert 0 < rule["probability"] < 0.5, kind
        assert {"error", "response", "latency", "timeout_ms", "reset"} & rule.keys(), kind
    assert OUTAGE not in {kind for kind, _ in TABLES}


def test_the_functions_that_are_killed_are_those_that_write() -> None:
    assert set(HANDLERS) == {"message", "notify_subscribers", "project_views", "sweep", "work"}


def test_the_broken_twin_is_a_mutant_of_the_simulation() -> None:
    assert TWIN in MUTANTS
