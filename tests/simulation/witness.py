"""The witness: writes down what happened, as it happens, for the checkers; what can be judged at once it judges."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from domain import exact_json
from domain.errors import AlreadyFinal, AttemptOver, StreamerError, Unavailable
from tests.simulation.expressions import Item
from tests.simulation.streams import Entry
from tests.simulation.tables import Key
from tests.simulation.time_machine import Crash, Machine, Process

_MOST: Final = 20  # violations that are told


@dataclass(slots=True)
class Life:
    """A row of a table from its insertion to its removal."""

    key: Key
    item: Item
    since: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A `subscribed` reply as it was posted."""

    connection_id: str
    request_id: str
    version: int
    row_since: float


@dataclass(slots=True)
class Witness:
    """What happened in one history."""

    machine: Machine
    violations: list[str] = field(default_factory=list)
    processes: dict[str, Process] = field(default_factory=dict)
    appended: dict[tuple[str, int], tuple[float, str, Item]] = field(default_factory=dict)
    runs: list[tuple[str, int, str]] = field(default_factory=list)
    lives: dict[str, list[Life]] = field(default_factory=dict)
    posts: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)  # connections that a post could not reach
    acks: list[tuple[str, int, str, bool]] = field(default_factory=list)
    lost: dict[str, list[Entry]] = field(default_factory=dict)
    read: dict[str, dict[int, Entry]] = field(default_factory=dict)
    tickets: dict[str, int] = field(default_factory=dict)
    submits: dict[tuple[str, str, str], int] = field(default_factory=dict)
    logged: int = 0

    @property
    def log(self) -> "Log":
        """The functions' log."""
        return Log(self)

    def violated(self, what: str) -> None:
        """Note that something happened that never may."""
        if len(self.violations) < _MOST:
            self.violations.append(f"at {self.machine.now:.3f} s: {what}")

    def begun(self, process: Process) -> None:
        """A process has begun."""
        self.processes[process.request_id] = process

    def changed(self, table: str, key: Key, before: Item | None, after: Item | None, *, by_expiry: bool) -> None:
        """A row has changed."""
        now, process = self.machine.now, self.machine.process
        if table == "Events":
            if before is None and after is not None:
                self.appended[key[0], key[1]] = (now, process.request_id if process else "", after)
            elif not by_expiry:
                self.violated(f"the log was changed: {key}")
        elif table == "Requests" and before and after and int(after["version"]["N"]) < int(before["version"]["N"]):
            self.violated(f"the view of {key[0]} went back from {before['version']['N']} to {after['version']['N']}")
        elif table in ("Connections", "Subscriptions"):
            lives = self.lives.setdefault(table, [])
            if before is None and after is not None:
                lives.append(Life(key, after, now))
            elif after is None:
                next(life for life in reversed(lives) if life.key == key).until = now

    def acted(self, request_id: str, attempt: int, worker: str) -> None:
        """An action began to run."""
        self.runs.append((request_id, attempt, worker))

    def redeemed(self, ticket: str, *, late: bool) -> None:
        """A ticket opened a socket."""
        self.tickets[ticket] = self.tickets.get(ticket, 0) + 1
        if late:
            self.violated("a ticket was good after its time")
        if self.tickets[ticket] > 1:
            self.violated("a ticket was good twice")

    def posted(self, connection_id: str, text: str, *, arrived: bool) -> None:
        """A frame was posted to a connection, or could not be."""
        if not arrived:
            self.failing.add(connection_id)
        frame = exact_json.decode(text)
        match frame["type"]:
            case "event":
                self._pushed(connection_id, frame)
            case "events":
                for item in frame["items"]:
                    self._pushed(connection_id, item)
            case "subscribed" if frame.get("request_id"):
                self._subscribed(connection_id, frame)
            case "ack":
                self.acks.append(
                    (frame["request_id"], frame["version"], frame["status"], frame.get("duplicate") is True)
                )
            case _:
                pass

    def discarded(self, reader: str, entries: Sequence[Entry], why: str) -> None:  # noqa: ARG002
        """Stream records will not be delivered to a reader again."""
        self.lost.setdefault(reader, []).extend(entries)

    def handled(self, reader: str, entries: Sequence[Entry]) -> None:
        """A reader has handled stream records."""
        read = self.read.setdefault(reader, {})
        for entry in entries:
            read[entry.number] = entry

    def asked(self, tenant_id: str, user_id: str, text: str) -> None:
        """A frame came to a function."""
        frame = exact_json.decode(text)
        if frame["type"] == "submit":
            key = (tenant_id, user_id, frame["idempotency_key"])
            self.submits[key] = self.submits.get(key, 0) + 1

    def crashed(self, worker: str) -> bool:
        """Whether a process did not end as it should have."""
        process = self.processes.get(worker)
        return process is None or process.hindered or not (process.dead and process.dead.point.endswith(":ended"))

    def _pushed(self, connection_id: str, push: Any) -> None:
        versions = range(push["from_version"], push["version"] + 1)
        self.posts.setdefault((connection_id, push["request_id"]), set()).update(versions)

    def _subscribed(self, connection_id: str, frame: Any) -> None:
        key = (f"request#{frame['request_id']}", connection_id)
        for life in reversed(self.lives.get("Subscriptions", [])):
            if life.key == key:
                if life.until is None:
                    self.told.append(Told(connection_id, frame["request_id"], frame["version"], life.since))
                return


class Log:
    """The functions' log: what they could not cope with is in there, and nowhere else."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def debug(self, _: str, **__: Any) -> None:
        """Not of interest."""

    def info(self, _: str, **__: Any) -> None:
        """Not of interest."""

    def warning(self, _: str, **__: Any) -> None:
        """Something went wrong below, and was coped with."""
        self._witness.logged += 1

    def error(self, text: str, exc_info: BaseException | None = None, **_: Any) -> None:
        """Something went wrong in an action."""
        self._judge(text, exc_info)

    def exception(self, text: str, **_: Any) -> None:
        """Something went wrong in a function."""
        self._judge(text, sys.exc_info()[1])

    def _judge(self, text: str, error: BaseException | None) -> None:
        self._witness.logged += 1
        cause: BaseException | None = error
        expected = isinstance(cause, Unavailable | Crash | AttemptOver | AlreadyFinal) or "own bug" in str(cause)
        if not expected:
            told = str(cause) if isinstance(cause, StreamerError) else repr(cause)
            self._witness.violated(f"{text}: {type(cause).__name__} {told}")
