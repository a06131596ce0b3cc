"""The judge finds nothing wrong with sound evidence, and finds each thing that can be wrong."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import pytest
from msgspec import structs

from domain import exact_json
from domain.recorded import NO_HASH, RecordedEvent
from tests.soak.judge import Evidence, attempts, ended, faults, most_running

Told = tuple[str, Mapping[str, Any]]

SUBMITTED: Told = ("RequestSubmitted", {"action": "delay"})
PROGRESS: Told = ("ProgressReported", {"percent": 50})
COMPLETED: Told = ("RequestCompleted", {})
CANCELLED: Told = ("RequestCancelled", {"by": "ann"})
LOST: Told = ("AttemptFailed", {"attempt": 1, "error": {"code": "LEASE_EXPIRED"}})


def started(attempt: int) -> Told:
    return "AttemptStarted", {"attempt": attempt}


def log(request_id: str, *told: Told) -> list[RecordedEvent]:
    """A log with a whole chain, whether or not its events may follow each other."""
    events: list[RecordedEvent] = []
    for version, (kind, data) in enumerate(told, start=1):
        unsealed = RecordedEvent(
            request_id=request_id,
            version=version,
            event_id=f"{request_id}.{version}",
            type=kind,
            schema=1,
            at=f"2026-01-01T00:00:0{version}.000Z",
            tenant_id="acme",
            user_id="ann",
            correlation_id="",
            causation_id="",
            data=exact_json.encode(dict(data)),
            state="{}",
            prev_hash=events[-1].hash if events else NO_HASH,
        )
        events.append(structs.replace(unsealed, hash=unsealed.computed_hash()))
    return events


SOUND = (
    log("retried", SUBMITTED, started(1), PROGRESS, LOST, started(2), PROGRESS, PROGRESS, COMPLETED),
    log("plain", SUBMITTED, started(1), COMPLETED),
    log("cancelled", SUBMITTED, CANCELLED),
)


def evidence(*logs: list[RecordedEvent], slots: int = 2) -> Evidence:
    """What is found when all went well with these logs: they were written in turns, and clients heard everything."""
    return Evidence(
        asked={one[0].request_id: [[(event.version, event.type) for event in one]] for one in logs},
        logs={one[0].request_id: one for one in logs},
        order=[event for turn in zip_longest(*logs) for event in turn if event],
        slots=slots,
    )


def test_nothing_is_wrong_with_sound_evidence() -> None:
    sound = evidence(*SOUND)
    assert faults(sound) == []
    assert ended(sound) == {"RequestCompleted": 2, "RequestCancelled": 1}
    assert attempts(sound) == {"started": 3, "retried": 1, "lost": 1}
    assert most_running(sound.order) == {"acme": 2}


def test_a_client_may_miss_progress_but_nothing_else() -> None:
    sound = evidence(*SOUND)
    heard = sound.asked["retried"][0]
    for version, kind in heard:
        without = replace(sound, asked={**sound.asked, "retried": [[one for one in heard if one[0] != version]]})
        assert bool(faults(without)) == (kind != "ProgressReported")


def heard_of_plain(change: Callable[[Any], Any]) -> Callable[[Evidence], Evidence]:
    return lambda sound: replace(sound, asked={**sound.asked, "plain": [[*change(sound.asked["plain"][0])]]})


BROKEN: Mapping[str, Callable[[Evidence], Evidence]] = {
    "is not in the log": lambda sound: replace(sound, asked={**sound.asked, "gone": []}),
    "nobody has an acknowledgement": lambda sound: replace(sound, asked={}),
    "the stream has 12 events, the log 13": lambda sound: replace(sound, order=sound.order[1:]),
    "the stream has 14 events, the log 13": lambda sound: replace(sound, order=[*sound.order, sound.order[0]]),
    "the hash chain breaks at version 2": lambda _: evidence(
        [SOUND[1][0], structs.replace(SOUND[1][1], user_id="eve"), SOUND[1][2]]
    ),
    "the hash chain breaks at version 3": lambda _: evidence(SOUND[0][:2] + SOUND[0][3:]),
    "ends in AttemptStarted": lambda _: evidence(log("open", SUBMITTED, started(1))),
    "ends in AttemptFailed": lambda _: evidence(log("open", SUBMITTED, started(1), LOST)),
    "version 4 follows RequestCompleted": lambda _: evidence(
        log("late", SUBMITTED, started(1), COMPLETED, PROGRESS, COMPLETED)
    ),
    "attempt 2 starts while attempt 1 runs": lambda _: evidence(
        log("twice", SUBMITTED, started(1), started(2), COMPLETED)
    ),
    "attempt 3 follows attempt 1": lambda _: evidence(log("gap", SUBMITTED, started(1), LOST, started(3), COMPLETED)),
    "ProgressReported at version 4 while nothing runs": lambda _: evidence(
        log("ghost", SUBMITTED, started(1), LOST, PROGRESS, started(2), COMPLETED)
    ),
    "2 requests ran at the same time, 1 may": lambda sound: replace(sound, slots=1),
    "twice or out of order": heard_of_plain(reversed),
    "heard something twice": heard_of_plain(lambda heard: [*heard, heard[-1]]),
    "did not hear of": heard_of_plain(lambda heard: heard[:-1]),
    "which the log does not have": heard_of_plain(lambda heard: [*heard, (9, "RequestCompleted")]),
    "Metrics: other": lambda sound: replace(sound, view_differences=["Metrics: other"]),
    "gave up": lambda sound: replace(sound, troubles=["gave up"]),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_each_thing_that_can_be_wrong_is_found(fault: str) -> None:
    assert any(fault in found for found in faults(BROKEN[fault](evidence(*SOUND))))
