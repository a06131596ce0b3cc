"""The judge: whether the log, the views and what clients heard are what they must be after any load and any harm.

It works from the events alone and shares no code with what it judges: what runs, what has ended and who has a slot is
worked out here once more.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from domain import exact_json
from domain.recorded import RecordedEvent, first_break

Log = Sequence[RecordedEvent]

FINAL: Final = ("RequestCompleted", "RequestFailed", "RequestCancelled")
_ENDS_ATTEMPT: Final = frozenset({*FINAL, "AttemptFailed"})
_OF_AN_ATTEMPT: Final = frozenset(
    {"ProgressReported", "OutputAppended", "LeaseRenewed", "RequestCompleted", "AttemptFailed", "CancelRequested"}
)
_MAY_BE_SKIPPED: Final = frozenset({"ProgressReported", "LeaseRenewed"})  # in what clients hear, a newer one follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All there is to judge.

    asked             each request that a client has an acknowledgement of, and what each of its watchers heard
    logs              the log of each request
    order             every event in the order of the appends
    slots             how many requests of one tenant may run at a time
    view_differences  where the views are not what the log leads to
    troubles          what clients came upon and never should
    """

    asked: Mapping[str, Sequence[Sequence[tuple[int, str]]]]
    logs: Mapping[str, Log]
    order: Log
    slots: int
    view_differences: Sequence[str] = ()
    troubles: Sequence[str] = ()


def faults(evidence: Evidence) -> list[str]:
    """Everything that is not as it must be."""
    return [
        *evidence.troubles,
        *_lost(evidence),
        *chain.from_iterable(_log_faults(request_id, log) for request_id, log in evidence.logs.items()),
        *_too_many_running(evidence),
        *chain.from_iterable(_misheard(request_id, evidence) for request_id in evidence.asked),
        *evidence.view_differences,
    ]


def most_running(order: Log) -> dict[str, int]:
    """The most requests of each tenant that ran at the same time."""
    running: dict[str, set[str]] = {}
    most: Counter[str] = Counter()
    for event in order:
        of_tenant = running.setdefault(event.tenant_id, set())
        if event.type == "AttemptStarted":
            of_tenant.add(event.request_id)
        elif event.type in _ENDS_ATTEMPT:
            of_tenant.discard(event.request_id)
        most[event.tenant_id] = max(most[event.tenant_id], len(of_tenant))
    return dict(most)


def ended(evidence: Evidence) -> Counter[str]:
    """How many requests ended in each of the final events."""
    return Counter(log[-1].type for log in evidence.logs.values() if log[-1].type in FINAL)


def attempts(evidence: Evidence) -> Counter[str]:
    """How many attempts were started, failed, and of those were lost with their workers."""
    counts: Counter[str] = Counter()
    for event in chain.from_iterable(evidence.logs.values()):
        counts["started"] += event.type == "AttemptStarted"
        if event.type in ("AttemptFailed", "RequestFailed"):
            counts["lost"] += exact_json.decode(event.data)["error"]["code"] == "LEASE_EXPIRED"
            counts["retried"] += event.type == "AttemptFailed"
    return counts


def _lost(evidence: Evidence) -> Iterator[str]:
    for request_id in sorted(evidence.asked.keys() - evidence.logs.keys()):
        yield f"{request_id}: was acknowledged and is not in the log"
    for request_id in sorted(evidence.logs.keys() - evidence.asked.keys()):
        yield f"{request_id}: is in the log and nobody has an acknowledgement"
    in_log = {(event.request_id, event.version) for log in evidence.logs.values() for event in log}
    in_order = Counter((event.request_id, event.version) for event in evidence.order)
    if Counter(in_log) != in_order:
        yield f"the stream has {in_order.total()} events, the log {len(in_log)}, or they are not the same"


def _log_faults(request_id: str, log: Log) -> Iterator[str]:
    if (broken := first_break(log)) is not None:
        yield f"{request_id}: the hash chain breaks at version {broken}"
    if log[-1].type not in FINAL:
        yield f"{request_id}: ends in {log[-1].type} at {log[-1].at}, which is not final"
    final = next((event for event in log if event.type in FINAL), None)
    number, runs = 0, False
    for event in log:
        if final and event.version > final.version:
            yield f"{request_id}: {event.type} at version {event.version} follows {final.type}"
        if event.type == "AttemptStarted":
            started = exact_json.decode(event.data)["attempt"]
            if runs:
                yield f"{request_id}: attempt {started} starts while attempt {number} runs"
            if started != number + 1:
                yield f"{request_id}: attempt {started} follows attempt {number}"
            number, runs = started, True
            continue
        if event.type in _OF_AN_ATTEMPT and not runs:
            yield f"{request_id}: {event.type} at version {event.version} while nothing runs"
        runs = runs and event.type not in _ENDS_ATTEMPT


def _too_many_running(evidence: Evidence) -> Iterator[str]:
    for tenant_id, most in most_running(evidence.order).items():
        if most > evidence.slots:
            yield f"{tenant_id}: {most} requests ran at the same time, {evidence.slots} may"


def _misheard(request_id: str, evidence: Evidence) -> Iterator[str]:
    told = [(event.version, event.type) for event in evidence.logs.get(request_id, ())]
    needed = {one for one in told if one[1] not in _MAY_BE_SKIPPED} | set(told[-1:])
    for heard in evidence.asked[request_id]:
        if [*heard] != sorted(set(heard)):
            yield f"{request_id}: a client heard something twice or out of order: {heard}"
        if missed := sorted(needed - set(heard)):
            yield f"{request_id}: a client did not hear of {missed}"
        if made_up := sorted(set(heard) - set(told)):
            yield f"{request_id}: a client heard of {made_up}, which the log does not have"
