"""Fan-out: what is shown to whom, in which frames."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from domain import exact_json
from domain.commands import AppendOutput, Complete, RenewLease, ReportProgress, Start, Submit
from domain.protocol import FRAME_TARGET, EventPush, EventsPush, server_frame
from domain.recorded import RecordedEvent
from projections.fan_out import Frame, Push, conflate, frames, missed, project, topics
from projections.intents import NoteMissed, Send
from tests.spec import life
from tests.strategies import START, logs

CONFLATED = {"ProgressReported", "LeaseRenewed"}


SUBMIT = Submit(now=START, action="echo", digest="d")
BEGIN = Start(now=START, worker_id="w", lease_until=START)


def progress(percent: float) -> ReportProgress:
    return ReportProgress(now=START, attempt=1, percent=percent)


def output(index: int) -> AppendOutput:
    return AppendOutput(now=START, attempt=1, index=index, chunk="x")


def told(sends: Sequence[Send]) -> dict[str, list[dict[str, Any]]]:
    """The pushes that each connection gets, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for send in sends:
        frame = server_frame(send.text)
        pushes = frame.items if isinstance(frame, EventsPush) else [exact_json.decode(send.text)]
        found.setdefault(send.connection_id, []).extend(pushes)
    return found


def batches(events: Sequence[RecordedEvent], cuts: list[int]) -> list[Sequence[RecordedEvent]]:
    places = sorted({0, len(events), *(cut % (len(events) + 1) for cut in cuts)})
    return [events[start:end] for start, end in pairwise(places)]


@given(logs(min_size=6), st.lists(st.integers(0, 30), max_size=3))
def test_the_ranges_of_what_is_shown_tile_the_versions(log: Sequence[RecordedEvent], cuts: list[int]) -> None:
    shown = [pair for batch in batches(log, cuts) for pair in conflate(batch)]
    covered = [version for start, event in shown for version in range(start, event.version + 1)]
    assert covered == [recorded.version for recorded in log]


@given(logs(min_size=6), st.lists(st.integers(0, 30), max_size=3))
def test_life_cycle_and_outputs_are_always_shown_and_the_newest_progress_too(
    log: Sequence[RecordedEvent], cuts: list[int]
) -> None:
    for batch in batches(log, cuts):
        shown = [event for _, event in conflate(batch)]
        assert [e for e in shown if e.type not in CONFLATED] == [e for e in batch if e.type not in CONFLATED]
        reports = [event for event in batch if event.type == "ProgressReported"]
        assert [e for e in shown if e.type == "ProgressReported" and e != batch[-1]] == [
            e for e in reports[-1:] if e != batch[-1]
        ]
        assert shown[-1] == batch[-1]


def test_progress_that_was_overtaken_is_covered_by_what_follows() -> None:
    lease = RenewLease(now=START, attempt=1, lease_until=START.replace(hour=1))
    log = life(
        SUBMIT,
        BEGIN,
        progress(1),
        progress(2),
        output(0),
        lease,
        progress(3),
        progress(4),
        Complete(now=START, attempt=1),
    )
    assert [(start, event.version) for start, event in conflate(log)] == [(1, 1), (2, 2), (3, 5), (6, 8), (9, 9)]


def test_what_is_last_is_shown_so_that_no_version_stays_untold() -> None:
    lease = RenewLease(now=START, attempt=1, lease_until=START.replace(hour=1))
    log = life(SUBMIT, BEGIN, progress(1), lease)
    assert [(start, event.version) for start, event in conflate(log[2:])] == [(3, 3), (4, 4)]
    assert [(start, event.version) for start, event in conflate(log[3:])] == [(4, 4)]


def test_a_range_never_covers_a_version_that_was_not_delivered() -> None:
    log = life(SUBMIT, BEGIN, progress(1), progress(2), progress(3))
    assert [(start, event.version) for start, event in conflate([log[2], log[4]])] == [(5, 5)]


@given(logs(min_size=4), st.data())
def test_a_range_covers_only_what_was_delivered_whatever_is_missing(
    log: Sequence[RecordedEvent], data: st.DataObject
) -> None:
    kept = [recorded for recorded in log if data.draw(st.booleans())]
    versions = {recorded.version for recorded in kept}
    for start, event in conflate(kept):
        assert versions.issuperset(range(start, event.version + 1))


def test_events_go_to_the_topics_of_their_requests_each_once() -> None:
    one, other = life(SUBMIT, BEGIN), life(SUBMIT, request_id="r-2")
    assert topics([*one, *other]) == ["request#r-1", "user#acme#ann", "tenant#acme", "request#r-2"]


watchers = st.dictionaries(
    st.sampled_from(["request#r-1", "request#r-2", "user#acme#ann", "tenant#acme", "tenant#umbrella", "user#acme#bob"]),
    st.lists(st.sampled_from(["c-1", "c-2", "c-3"]), max_size=3),
)


@given(logs(min_size=3), logs(min_size=3, request_id="r-2"), watchers)
def test_every_watcher_gets_every_group_once_and_in_order(
    one: Sequence[RecordedEvent], other: Sequence[RecordedEvent], watching: dict[str, list[str]]
) -> None:
    got = told(project([one, other], watching))
    for connection in ("c-1", "c-2", "c-3"):
        both = connection in [*watching.get("user#acme#ann", []), *watching.get("tenant#acme", [])]
        expected = [
            (group[0].request_id, start, event.version)
            for group in (one, other)
            if both or connection in watching.get(f"request#{group[0].request_id}", [])
            for start, event in conflate(group)
        ]
        pushes = got.get(connection, [])
        assert [(push["request_id"], push["from_version"], push["version"]) for push in pushes] == expected


def test_a_push_shows_the_event_and_the_state_after_it() -> None:
    log = life(SUBMIT, BEGIN)
    (send,) = project([log[1:]], {"tenant#acme": ["c-1"]})
    frame = server_frame(send.text)
    assert isinstance(frame, EventPush)
    assert (send.connection_id, frame.request_id, frame.from_version, frame.version) == ("c-1", "r-1", 2, 2)
    assert frame.event == log[1].shown()
    assert frame.state == log[1].snapshot().public()
    assert "worker_id" not in frame.state


def test_nobody_watching_gets_nothing() -> None:
    assert project([life(SUBMIT)], {}) == []
    assert project([life(SUBMIT)], {"tenant#umbrella": ["c-1"], "request#r-2": ["c-2"]}) == []


GROUPS: Final = [life(SUBMIT, BEGIN), life(SUBMIT, request_id="r-2")]


def test_what_a_connection_did_not_take_is_noted_on_each_topic_that_leads_to_it() -> None:
    watchers = {"request#r-1": {"c-1": False}, "tenant#acme": {"c-1": False, "c-2": False}}
    sends = project(GROUPS, watchers)
    assert missed(sends, {}, GROUPS, watchers) == []
    assert missed(sends, {"c-1": 0}, GROUPS, watchers) == [
        NoteMissed("request#r-1", "c-1", "r-1", 1, 2),
        NoteMissed("tenant#acme", "c-1", "r-1", 1, 2),
    ]


def test_a_frame_that_was_taken_is_not_noted_and_what_is_noted_already_neither() -> None:
    watchers = {"request#r-1": {"c-1": True}, "tenant#acme": {"c-1": False}}
    sends = [
        Send("c-1", "taken", (("r-1", 1, 1),)),
        Send("c-1", "left", (("r-1", 2, 2), ("r-2", 1, 1))),
        Send("c-2", "taken", (("r-1", 1, 2),)),
    ]
    assert missed(sends, {"c-1": 1}, GROUPS, watchers) == [NoteMissed("tenant#acme", "c-1", "r-1", 2, 2)]
    assert missed(sends, {"c-1": 2}, GROUPS, watchers) == []


lengths = st.lists(st.integers(2, FRAME_TARGET // 2) | st.integers(FRAME_TARGET - 60, FRAME_TARGET + 60), max_size=8)


@given(lengths, st.sampled_from(["x", "é"]))
def test_a_frame_fits_its_target_unless_one_push_alone_does_not(sizes: list[int], letter: str) -> None:
    pushes = [exact_json.encode(letter * ((size - 2) // len(letter.encode()))) for size in sizes]
    made = frames(numbered(pushes))
    assert [span for frame in made for span in frame.spans] == [("r-1", n, n) for n in range(1, len(pushes) + 1)]
    texts = [frame.text for frame in made]
    assert [len(items_of(frame.text)) for frame in made] == [len(frame.spans) for frame in made]
    unpacked = [items_of(text) for text in texts]
    assert [push for items in unpacked for push in items] == pushes
    for text, items in zip(texts, unpacked, strict=True):
        assert len(text.encode()) <= FRAME_TARGET or len(items) == 1
    for items, following in pairwise(unpacked):
        one_more = EventsPush(items=[]).encode()[:-2] + ",".join([*items, following[0]]) + "]}"
        assert len(one_more.encode()) >= FRAME_TARGET


def numbered(texts: Sequence[str]) -> list[Push]:
    return [Push(("r-1", version, version), text) for version, text in enumerate(texts, start=1)]


def items_of(text: str) -> list[str]:
    value = exact_json.decode(text)
    return [exact_json.encode(item) for item in (value["items"] if isinstance(value, dict) else [value])]


def test_pushes_that_just_fit_share_a_frame() -> None:
    room = FRAME_TARGET - len('{"type":"events","items":[]}')
    half = (room - 1) // 2
    pushes = [f'"{"a" * (half - 2)}"'] * 2
    assert len(frames(numbered(pushes))) == 1
    assert len(frames(numbered([*pushes, '"a"']))) == 2
    assert frames([]) == []
    assert frames(numbered(['{"a":1}'])) == [Frame('{"a":1}', (("r-1", 1, 1),))]
