"""The shadow: a view made anew from the log, in a file beside the live one.

It takes events as the live view does, guarded by a cursor for each request. So pages may come in any order, twice, or
with a request's log in pieces. The place that the scan has reached is written in the same transaction: a rebuild that
is interrupted goes on from there and counts nothing twice.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final

from adapters.items import Value
from domain import exact_json
from domain.recorded import NO_HASH
from domain.state import Status
from projections.cursor import NOWHERE, Cursor
from projections.intents import Add, Put

Key = tuple[str, ...]
Row = dict[str, Value]

PAGE: Final = 1000  # rows that are in memory at a time

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS made_of (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (segment INTEGER PRIMARY KEY, place TEXT, done INTEGER, events INTEGER);
CREATE TABLE IF NOT EXISTS requests
    (request_id TEXT PRIMARY KEY, version INTEGER, status TEXT, counted INTEGER, hash TEXT, broken INTEGER)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, request_id TEXT, content TEXT, seen INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attributes (key TEXT PRIMARY KEY, content TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts
    (side TEXT, key TEXT, name TEXT, value INTEGER, PRIMARY KEY (key, name, side)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Known:
    """How far the shadow has come with a request: its cursor, the hash there, and where its chain broke, if it did."""

    cursor: Cursor = NOWHERE
    hash: bytes = NO_HASH
    broken: int | None = None


@dataclass(slots=True)
class Change:
    """What a page of the log changes in the shadow."""

    before: dict[str, int] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)
    puts: list[tuple[str, Put]] = field(default_factory=list)
    adds: list[Add] = field(default_factory=list)
    events: int = 0


class Shadow:
    """A shadow in a file; safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = Lock()
        self._file = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        # It can be made again: what matters is that place and content go together.
        self._file.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + _SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def made_of(self, given: Mapping[str, str]) -> dict[str, str]:
        """What the shadow was begun with: what is given now, if it is new."""
        with self._lock:
            self._file.executemany("INSERT OR IGNORE INTO made_of VALUES (?, ?)", given.items())
            return dict(self._file.execute("SELECT name, value FROM made_of"))

    def place(self, segment: int) -> tuple[Mapping[str, Any] | None, bool]:
        """The key that a segment's scan goes on after, and whether it is at its end."""
        with self._lock:
            row = self._file.execute("SELECT place, done FROM segments WHERE segment = ?", (segment,)).fetchone()
        return (exact_json.decode(row[0]), bool(row[1])) if row else (None, False)

    def events(self) -> int:
        """How many events it was made of so far."""
        with self._lock:
            return int(self._file.execute("SELECT coalesce(sum(events), 0) FROM segments").fetchone()[0])

    def known(self, request_ids: Iterable[str]) -> dict[str, Known]:
        """How far it has come with each of the requests."""
        with self._lock:
            found = {name: self._file.execute(_KNOWN, (name,)).fetchone() for name in request_ids}
        return {name: _known(row) if row else Known() for name, row in found.items()}

    def write(self, segment: int, place: Mapping[str, Any] | None, change: Change) -> bool:
        """Take in a page, and where the scan goes on after it (nowhere at its end).

        False, and nothing is changed, when another segment has moved one of the requests on: DynamoDB may have a long
        log in two segments.
        """
        at = (segment, exact_json.encode(place), place is None, change.events)
        with self._lock, closing(self._file.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                if self._has_moved(cursor, change.before):
                    cursor.execute("ROLLBACK")
                    return False
                cursor.executemany(_KNOW, (_row(name, one) for name, one in change.known.items()))
                self._put(cursor, change.puts)
                cursor.executemany(_ADD, _sums("log", change.adds))
                cursor.executemany(_DESCRIBE, _described(change.adds))
                cursor.execute(_REACH, at)
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")
        return True

    def count_live(self, adds: Iterable[Add]) -> None:
        """Take in what the live view has counted."""
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany(_ADD, _sums("live", adds))
            self._file.execute("COMMIT")

    def forget_live(self) -> None:
        """Forget what the live view has: it will be read again."""
        with self._lock:
            self._file.execute("DELETE FROM counts WHERE side = 'live'")
            self._file.execute("UPDATE rows SET seen = 0")

    def counts(self) -> Iterator[tuple[Key, dict[str, int], dict[str, int]]]:
        """Every row of counts, as the log has it and as the live view has it."""
        after = ""
        while True:
            with self._lock:
                found = self._file.execute(_COUNTS, (after, PAGE)).fetchall()
            rows: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
            for key, name, side, value in found:
                rows.setdefault(key, ({}, {}))[side == "live"][name] = value
            for key, (log, live) in rows.items():
                yield tuple(exact_json.decode(key)), log, live
            if not rows:
                return
            after = max(rows)

    def attributes(self, key: Key) -> Row:
        """What a row of counts has beside its counts, as the log says."""
        with self._lock:
            row = self._file.execute("SELECT content FROM attributes WHERE key = ?", (_text(key),)).fetchone()
        return dict(exact_json.decode(row[0])) if row else {}

    def see(self, rows: Sequence[tuple[Key, Row]]) -> list[Key]:
        """Note that the live view has these rows; the keys of those that are other rows here, or none."""
        names = [_text(key) for key, _ in rows]
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany("UPDATE rows SET seen = 1 WHERE key = ?", ((name,) for name in names))
            contents = [self._file.execute(_CONTENT, (name,)).fetchone() for name in names]
            self._file.execute("COMMIT")
        return [key for (key, row), found in zip(rows, contents, strict=True) if not found or found[0] != _content(row)]

    def unseen(self) -> Iterator[Key]:
        """The keys of the rows that the live view does not have."""
        after = ""
        while True:
            with self._lock:
                keys = [key for (key,) in self._file.execute(_UNSEEN, (after, PAGE))]
            yield from (tuple(exact_json.decode(key)) for key in keys)
            if not keys:
                return
            after = keys[-1]

    def broken(self) -> list[tuple[str, int]]:
        """The requests whose chain is broken, and the version at which it is."""
        with self._lock:
            return self._file.execute("SELECT request_id, broken FROM requests WHERE broken IS NOT NULL").fetchall()

    def size(self) -> tuple[int, int]:
        """How many requests it has, and how many rows or rows of counts."""
        with self._lock:
            requests = self._file.execute("SELECT count(*) FROM requests").fetchone()[0]
            rows = self._file.execute(
                "SELECT (SELECT count(*) FROM rows) + (SELECT count(DISTINCT key) FROM counts WHERE side = 'log')"
            ).fetchone()[0]
        return requests, rows

    def _has_moved(self, cursor: sqlite3.Cursor, before: Mapping[str, int]) -> bool:
        for request_id, version in before.items():
            row = cursor.execute("SELECT version FROM requests WHERE request_id = ?", (request_id,)).fetchone()
            if (row[0] if row else 0) != version:
                return True
        return False

    def _put(self, cursor: sqlite3.Cursor, puts: Iterable[tuple[str, Put]]) -> None:
        for request_id, put in puts:
            key = _text(tuple(put.key.values()))
            row = dict(put.key) | {name: value for name, value in put.attributes.items() if value is not None}
            if put.after:
                [content] = cursor.execute(_CONTENT, (key,)).fetchone()
                before = exact_json.decode(content)
                row = {name: value for name, value in before.items() if name not in put.attributes} | row
            cursor.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, 0)", (key, request_id, _content(row)))


_COUNTS: Final = (
    "SELECT key, name, side, value FROM counts "
    "WHERE key IN (SELECT DISTINCT key FROM counts WHERE key > ? ORDER BY key LIMIT ?)"
)
_UNSEEN: Final = "SELECT key FROM rows WHERE seen = 0 AND key > ? ORDER BY key LIMIT ?"
_CONTENT: Final = "SELECT content FROM rows WHERE key = ?"
_KNOWN: Final = "SELECT version, status, counted, hash, broken FROM requests WHERE request_id = ?"
_KNOW: Final = "INSERT OR REPLACE INTO requests VALUES (?, ?, ?, ?, ?, ?)"
_ADD: Final = (
    "INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT (key, name, side) DO UPDATE SET value = value + excluded.value"
)
_DESCRIBE: Final = "INSERT OR IGNORE INTO attributes VALUES (?, ?)"
_REACH: Final = (
    "INSERT INTO segments VALUES (?, ?, ?, ?) ON CONFLICT (segment) "
    "DO UPDATE SET place = excluded.place, done = excluded.done, events = events + excluded.events"
)


def _text(key: Key) -> str:
    return exact_json.encode(list(key))


def _content(row: Mapping[str, Any]) -> str:
    return exact_json.encode(dict(row), sort_keys=True)


def _known(row: tuple[Any, ...]) -> Known:
    version, status, counted, last_hash, broken = row
    return Known(Cursor(version, Status(status) if status else None, counted), bytes.fromhex(last_hash), broken)


def _row(request_id: str, known: Known) -> tuple[Any, ...]:
    cursor = known.cursor
    return request_id, cursor.version, cursor.status, cursor.counted, known.hash.hex(), known.broken


def _described(adds: Iterable[Add]) -> Iterator[tuple[str, str]]:
    rows = {tuple(intent.key.values()): intent.attributes for intent in adds}
    return ((_text(key), _content(attributes)) for key, attributes in rows.items())


def _sums(side: str, adds: Iterable[Add]) -> Iterator[tuple[str, str, str, int]]:
    for intent in adds:
        key = _text(tuple(intent.key.values()))
        yield from ((side, key, name, count) for name, count in intent.counts.items())
