"""Requests that live at random while their records are delivered, lost, delivered again and handled by two at once.

The twin whose views ignore the version guard must fall; it shows that the machine can see.
"""

import random
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, ClassVar
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from adapters.views import Views
from domain.errors import Rejected
from projections.intents import Add, Once, Put
from tests.kit.calls import nth, overtaken_by, refused, watched
from tests.kit.requests import Whose
from tests.kit.world import a_world

if TYPE_CHECKING:
    from tests.kit.streams import Record

PEOPLE = (Whose("acme", "ann"), Whose("acme", "bob"), Whose("zeta", "eve"))
some = st.integers(0, 1000)
WRITES = ("BatchWriteItem", "TransactWriteItems", "UpdateItem", "BatchExecuteStatement", "SendMessageBatch")


class Unguarded(Views):
    """The broken twin: rows are written whatever their version is."""

    def update(self, puts: Sequence[Put]) -> None:
        super().update([replace(put, after=None) for put in puts])

    def commit(self, intents: Sequence[Put | Once | Add]) -> None:
        super().commit([replace(one, after=None) if isinstance(one, Put) else one for one in intents])


class Delivering(RuleBasedStateMachine):
    """Whatever happens, the newest record of each request brings every view to what the log says."""

    views: ClassVar[type[Views]] = Views

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.world = self._open.enter_context(a_world())
        self._open.enter_context(patch("adapters.views.Views", self.views))
        self.ids: list[str] = []
        self.newest: dict[str, Record] = {}
        self.waiting: list[Record] = []
        self.delivered: list[Record] = []

    def teardown(self) -> None:
        try:
            self.deliver_the_newest()
        finally:
            self._open.close()

    @initialize(whose=st.sampled_from(PEOPLE))
    def begin(self, whose: Whose) -> None:
        self.submit(whose)

    @rule(whose=st.sampled_from(PEOPLE))
    def submit(self, whose: Whose) -> None:
        self.ids.append(self.world.requests.submit(whose, max_attempts=2))
        self._read()

    @rule(which=some, what=st.sampled_from(["start", "output", "complete", "fail", "cancel", "stop", "lose_worker"]))
    def move(self, which: int, what: str) -> None:
        self._try(what, which)

    @rule(which=some, percent=st.integers(1, 100))
    def progress(self, which: int, percent: int) -> None:
        self._try("progress", which, percent)

    @precondition(lambda self: self.waiting)
    @rule(size=st.integers(1, 6))
    def deliver(self, size: int) -> None:
        batch, self.waiting = self.waiting[:size], self.waiting[size:]
        self.delivered += batch
        self.world.project_all(batch)

    @precondition(lambda self: self.waiting)
    @rule(seed=some)
    def deliver_shuffled(self, seed: int) -> None:
        random.Random(seed).shuffle(self.waiting)
        self.deliver(3)

    @precondition(lambda self: self.waiting)
    @rule(size=st.integers(1, 3))
    def lose(self, size: int) -> None:
        del self.waiting[:size]

    @precondition(lambda self: self.delivered)
    @rule(start=some, size=st.integers(1, 6))
    def deliver_again(self, start: int, size: int) -> None:
        first = start % len(self.delivered)
        self.world.project_all(self.delivered[first : first + size])

    @rule(size=st.integers(1, 4), others=st.integers(1, 4))
    def deliver_to_two_at_once(self, size: int, others: int) -> None:
        if not self.waiting:
            self.submit(PEOPLE[0])
        batch, other = self.waiting[:size], self.waiting[:others]
        with watched(overtaken_by(lambda: self.world.project(other)), nth("BatchGetItem", 0)):
            self.world.project(batch)
        self.delivered += batch

    @precondition(lambda self: self.waiting)
    @rule(operation=st.sampled_from(WRITES))
    def deliver_with_a_failure(self, operation: str) -> None:
        with watched(refused, nth(operation, 0)):
            self.world.project_all(self.waiting[:4])

    @rule()
    def deliver_the_newest(self) -> None:
        self.world.project_all(list(self.newest.values()))
        assert self.world.differences() == []

    def _try(self, what: str, which: int, *arguments: Any) -> None:
        requests, request_id = self.world.requests, self.ids[which % len(self.ids)]
        options = (f"line {which}",) if what == "output" else arguments
        with suppress(Rejected):  # not allowed now: nothing is written
            getattr(requests, what)(request_id, *options)
        self._read()

    def _read(self) -> None:
        written = self.world.records()
        self.waiting += written
        self.newest |= {record["dynamodb"]["Keys"]["request_id"]["S"]: record for record in written}


class DeliveringUnguarded(Delivering):
    """The same with the broken twin."""

    views = Unguarded


MACHINE = settings(
    max_examples=14,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def test_every_view_ends_at_what_the_log_says() -> None:
    run_state_machine_as_test(Delivering, settings=MACHINE)


def test_the_machine_catches_views_without_the_version_guard() -> None:
    quick = settings(MACHINE, max_examples=100, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError, match=r"Metrics|Requests"):
        run_state_machine_as_test(DeliveringUnguarded, settings=quick)
