"""How a rule is told: given(*events).when(command).then(*events); a log from commands; tables fed everything twice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

import pytest

from domain.commands import Command
from domain.errors import Rejected
from domain.events import Event
from domain.recorded import Head, RecordedEvent, record
from domain.request import decide, fold
from projections import audit, catalog, requests
from projections.cursor import Cursor
from projections.intents import Add, Put
from tests.strategies import ORIGIN, START


class given:  # noqa: N801 - reads as a sentence
    """The past, an event a second from START on; `when` a command, `then` what follows."""

    def __init__(self, *events: Event) -> None:
        self.state = fold((event, START + timedelta(seconds=n)) for n, event in enumerate(events))

    def when(self, command: Command) -> Self:
        """What is asked now."""
        self.command = command
        return self

    def then(self, *events: Event) -> None:
        """Exactly these events follow."""
        assert decide(self.command, self.state) == list(events)

    def then_nothing(self) -> None:
        """It has happened already."""
        self.then()

    def then_rejected(self, error: type[Rejected], reason: str | None = None) -> None:
        """The rules forbid it."""
        with pytest.raises(error, match=reason):
            decide(self.command, self.state)


def life(*commands: Command, request_id: str = "r-1") -> list[RecordedEvent]:
    """The log that commands lead to, each with one event at its own instant."""
    head = Head(request_id)
    log: list[RecordedEvent] = []
    for number, command in enumerate(commands):
        (event,) = decide(command, head.state)
        log.append(record(event, head, command.now, f"e-{number}", ORIGIN))
        head = Head.of(log[-1])
    return log


@dataclass
class Tables:
    """The view tables, with the guards that an adapter gives to their writes."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    entries: dict[tuple[str, ...], Any] = field(default_factory=dict)
    counts: dict[tuple[str, ...], dict[str, int]] = field(default_factory=dict)

    def deliver(self, events: Sequence[RecordedEvent], times: int = 2) -> Self:
        """Project events of one request, which may be there already, as project_views does: twice by default."""
        for _ in range(times):
            row = self.rows.get(events[0].request_id, {})
            cursor = row.get("version", 0)
            before = Cursor(cursor, row.get("status"), row.get("counted", 0))
            self.entries |= {tuple(put.key.values()): put for put in audit.project(events)}
            fresh = [event for event in events if event.version > cursor]
            if fresh:
                self.transact(requests.project(cursor, fresh, shards=4), catalog.counts(fresh, before))
        return self

    def transact(self, put: Put, adds: Iterable[Add]) -> None:
        """Write the row and the counts, or neither."""
        row = self.rows.setdefault(put.key["request_id"], {})
        assert row.get("version", 0) == put.after
        row |= put.attributes
        for add in adds:
            sums = self.counts.setdefault(tuple(add.key.values()), {})
            sums.update({name: sums.get(name, 0) + count for name, count in add.counts.items()})
