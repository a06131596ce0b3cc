"""The tail gives out every version once and in order, whatever happens to the frames on the way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client import EventsLost
from client.tail import NOTHING, Heard, Tail
from client.updates import Answer, Update
from domain.instant import EPOCH

PROGRESS, OUTPUT, FINAL = "ProgressReported", "OutputAppended", "RequestCompleted"


def status(types: list[str], version: int) -> dict[str, str]:
    return {"status": "COMPLETED" if types[version - 1] == FINAL else "PROCESSING"}


def update(types: list[str], version: int, from_version: int | None = None, *, with_state: bool = True) -> Update:
    return Update(
        request_id="r1",
        from_version=from_version or version,
        version=version,
        type=types[version - 1],
        at=EPOCH,
        data={},
        state=status(types, version) if with_state else None,
    )


def answer(types: list[str], after: int, head: int, at_most: int = 1000) -> Answer:
    """What the log says: the events after a version, perhaps not all of them, and where its end is."""
    shown = range(after + 1, min(head, after + at_most) + 1)
    events = tuple(update(types, version, with_state=version == head) for version in shown)
    return Answer(version=head, state=status(types, head), updates=events)


logs = st.lists(st.sampled_from([PROGRESS, PROGRESS, OUTPUT]), max_size=14).map(lambda types: [*types, FINAL])


@st.composite
def pushes_of(draw: st.DrawFn, types: list[str]) -> list[Update]:
    """The log as the fan-out pushes it: progress conflated, then dropped, doubled and shuffled on the way."""
    pushes, start = [], 1
    for version, name in enumerate(types, start=1):
        if name != PROGRESS or draw(st.booleans()):
            pushes.append(update(types, version, start))
            start = version + 1
    kept = [push for push in pushes for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2])))]
    return draw(st.permutations(kept)) if draw(st.booleans()) else kept


class Network:
    """Carries pushes and answers to a tail, and what it asks to the log."""

    def __init__(self, types: list[str], draw: st.DataObject) -> None:
        self.types, self.draw = types, draw
        self.tail = Tail("r1")
        self.given: list[Update] = []
        self.answers: list[Answer] = []
        self.existing = 1  # what was seen of the log: a consistent read never goes back

    def heard(self, heard: Heard) -> None:
        """Take what the tail gives out, and have the log answer what it asks."""
        self.given += heard.updates
        if heard.ask_after is not None:
            self.existing = self.draw.draw(st.integers(self.existing, len(self.types)), label="head")
            at_most = self.draw.draw(st.integers(1, 5), label="events in an answer")
            self.answers.append(answer(self.types, heard.ask_after, self.existing, at_most))

    def push(self, push: Update) -> None:
        """Deliver a push."""
        self.existing = max(self.existing, push.version)
        self.heard(self.tail.pushed(push))

    def deliver_an_answer(self) -> None:
        """Deliver the answer that is on its way, if one is."""
        assert len(self.answers) <= 1, "one question at a time"
        if self.answers:
            self.heard(self.tail.answered(self.answers.pop()))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.data())
def test_every_version_is_given_out_once_and_in_order(data: st.DataObject) -> None:
    types = data.draw(logs)
    network = Network(types, data)
    for push in data.draw(pushes_of(types)):
        network.push(push)
        if data.draw(st.booleans()):
            network.deliver_an_answer()
    network.existing = len(types)
    while not network.tail.is_final:  # what the heartbeat does for a quiet tail
        network.heard(network.tail.ask())
        network.deliver_an_answer()
    ends = [given.version for given in network.given]
    starts = [given.from_version for given in network.given]
    assert starts == [1, *(end + 1 for end in ends[:-1])]
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    assert ends[-1] == len(types)
    skipped = {version for given in network.given for version in range(given.from_version, given.version)}
    assert all(types[version - 1] == PROGRESS for version in skipped)
    assert network.given[-1].is_final
    assert not any(given.is_final for given in network.given[:-1])


def test_conflated_progress_is_no_gap_and_tells_how_many_it_stands_for() -> None:
    tail = Tail("r1", after=2)
    heard = tail.pushed(update([PROGRESS] * 6, 6, 3))
    assert heard.ask_after is None
    assert [(given.version, given.skipped) for given in heard.updates] == [(6, 3)]


def test_a_range_that_overlaps_counts_only_what_is_new() -> None:
    tail = Tail("r1", after=4)
    (given,) = tail.pushed(update([PROGRESS] * 6, 6, 3)).updates
    assert (given.from_version, given.version, given.skipped) == (5, 6, 1)


def test_a_version_that_was_given_out_is_dropped() -> None:
    tail = Tail("r1")
    assert tail.pushed(update([PROGRESS], 1)).updates
    assert tail.pushed(update([PROGRESS], 1)) == NOTHING


def test_a_gap_is_asked_for_once_however_many_pushes_show_it() -> None:
    tail = Tail("r1", after=1)
    types = [PROGRESS] * 9
    assert tail.pushed(update(types, 3)) == Heard(ask_after=1)
    assert tail.pushed(update(types, 4)) == NOTHING


def test_what_was_pushed_between_question_and_answer_is_asked_for_again() -> None:
    tail = Tail("r1")
    types = [PROGRESS, PROGRESS, PROGRESS, FINAL]
    tail.ask()
    tail.pushed(update(types, 4))
    heard = tail.answered(answer(types, 0, 2))
    assert ([given.version for given in heard.updates], heard.ask_after) == ([1, 2], 2)


def test_nothing_follows_a_final_version() -> None:
    tail = Tail("r1")
    tail.pushed(update([FINAL], 1))
    assert tail.is_final
    assert tail.pushed(update([FINAL, PROGRESS], 2)) == NOTHING
    assert tail.ask() == NOTHING


def test_an_ended_request_that_was_seen_to_its_end_is_final_at_once() -> None:
    tail = Tail("r1", after=2)
    tail.ask()
    assert tail.answered(answer([PROGRESS, FINAL], 2, 2)) == NOTHING
    assert tail.is_final


def test_the_newest_known_state_stays_until_a_newer_one_is_told() -> None:
    tail = Tail("r1")
    types = [PROGRESS] * 4
    tail.pushed(update(types, 1))
    tail.ask()
    heard = tail.answered(answer(types, 1, 4, at_most=1))
    assert [given.state for given in heard.updates] == [None]
    assert tail.state == {"status": "PROCESSING"}


def test_an_answer_that_withholds_what_exists_is_told() -> None:
    tail = Tail("r1")
    types = [PROGRESS, PROGRESS, PROGRESS]
    tail.pushed(update(types, 3))
    with pytest.raises(EventsLost):
        tail.answered(Answer(version=3, state=status(types, 3), updates=()))
