"""DynamoDB Streams and Lambda's event source mappings, as AWS documents them (its sources are in docs/simulation.md).

A stream has shards, which split; a parent is read to its end before its children are. Within a shard the records of one
item keep their order, those of different items need not. A mapping reads each shard batch by batch, at least once:

    all handled            the checkpoint moves behind the batch
    a partial answer       the checkpoint moves to the lowest sequence number that is reported, the rest comes again
    an error               the batch is split in two (that uses up no retry), or comes again
    retries or age used up the batch goes to the on-failure destination, whole, and the checkpoint moves behind it
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zlib import crc32

from tests.simulation.expressions import Item
from tests.simulation.faults import Faults
from tests.simulation.tables import Key, Table
from tests.simulation.time_machine import Machine, Outcome

_HASHES: Final = 2**32
Record = Mapping[str, Any]
Spoil = Callable[[dict[str, Any]], None]
Invoke = Callable[[Sequence[Record]], Awaitable[Outcome]]


@dataclass(slots=True)
class Entry:
    """A stream record in its shard."""

    record: Record
    number: int
    item: tuple[str, Key]
    written_at: float
    visible_at: float
    poison: bool = False


@dataclass(slots=True, eq=False)
class Shard:
    """A part of a stream."""

    low: int
    high: int
    parent: "Shard | None" = None
    entries: list[Entry] = field(default_factory=list)
    closed: bool = False
    news: list[asyncio.Event] = field(default_factory=list)

    def ring(self) -> None:
        """Tell the mappings that there is something new."""
        for event in self.news:
            event.set()


class Stream:
    """The stream of one table."""

    def __init__(self, machine: Machine, faults: Faults, table: Table, *, by_item: bool) -> None:
        self._machine = machine
        self._faults = faults
        self._table = table
        self._by_item = by_item  # whether the rows of one partition are spread over shards, too
        self._number = 10 ** (19 + int(faults.rng.random() * 3)) * 9  # so that some numbers are longer than others
        self.shards: list[Shard] = [Shard(0, _HASHES)]
        self.readers: list[Callable[[Shard], None]] = []
        self.written = 0

    def write(
        self,
        key: Key,
        before: Item | None,
        after: Item | None,
        epoch: int,
        *,
        by_expiry: bool,
        spoil: Spoil | None = None,
    ) -> Entry:
        """Add the record of a change; `spoil` makes it one that nobody can read."""
        name = "MODIFY" if before and after else "INSERT" if after else "REMOVE"
        change = self._change(after or before or {}, epoch)
        if after:
            change["NewImage"] = _image(after)
            if spoil:
                spoil(change["NewImage"])
        if before and self._table.stream == "NEW_AND_OLD_IMAGES":
            change["OldImage"] = _image(before)
        record: dict[str, Any] = {**self._envelope(name), "dynamodb": change}
        if by_expiry:
            record["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        return self._add(record, (self._table.name, key), poison=spoil is not None)

    def poison(self) -> list[Entry]:
        """The records that nobody can read."""
        return [entry for shard in self.shards for entry in shard.entries if entry.poison]

    def _add(self, record: Record, item: tuple[str, Key], *, poison: bool) -> Entry:
        """Add a record to the shard of its item."""
        self.written += 1
        number = int(record["dynamodb"]["SequenceNumber"])
        now = self._machine.now
        entry = Entry(record, number, item, now, now + self._faults.between(0.01, 0.2), poison)
        shard = self._shard_of(item[1])
        shard.entries.append(entry)
        self._reorder(shard)
        if self._faults.strikes("shard_split"):
            self._split(shard)
        shard.ring()
        return entry

    def _envelope(self, name: str) -> dict[str, Any]:
        return {
            "eventID": f"{self._faults.rng.getrandbits(128):032x}",
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "eventSourceARN": f"arn:aws:dynamodb:us-east-1:0:table/{self._table.name}/stream/2026",
        }

    def _change(self, row: Item, epoch: int) -> dict[str, Any]:
        self._number += 1 + int(self._faults.rng.random() * 10**18)
        return {
            "ApproximateCreationDateTime": epoch,
            "Keys": _image({n: row[n] for n in (self._table.partition, self._table.sort) if n}),
            "SequenceNumber": f"{self._number:021d}",
            "SizeBytes": 100,
            "StreamViewType": self._table.stream,
        }

    def _shard_of(self, key: Key) -> Shard:
        place = crc32(repr(key if self._by_item else key[0]).encode())
        return next(shard for shard in self.shards if not shard.closed and shard.low <= place < shard.high)

    def _reorder(self, shard: Shard) -> None:
        """Let the newest record overtake one of another item that nobody can have seen yet."""
        entries = shard.entries
        if len(entries) < 2 or not self._faults.has("reordered"):
            return
        last, other = entries[-1], entries[-2]
        if other.visible_at <= self._machine.now or other.item == last.item or not self._faults.strikes("reordered"):
            return
        entries[-1], entries[-2] = _renumbered(other, last.number), _renumbered(last, other.number)

    def _split(self, shard: Shard) -> None:
        middle = (shard.low + shard.high) // 2
        if middle == shard.low:
            return
        shard.closed = True
        for low, high in ((shard.low, middle), (middle, shard.high)):
            child = Shard(low, high, parent=shard)
            self.shards.append(child)
            for reader in self.readers:
                reader(child)


@dataclass(frozen=True, slots=True)
class Settings:
    """What template.yaml says of a mapping."""

    batch_size: int
    window_s: float
    retries: int
    age_s: float
    bisects: bool
    reports: bool
    names: frozenset[str] | None

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> "Settings":
        """Read from the template; a filter that this does not understand is an error."""
        names: frozenset[str] | None = None
        for one in properties.get("FilterCriteria", {}).get("Filters", ()):
            pattern = json.loads(one["Pattern"])
            assert set(pattern) == {"eventName"}, pattern
            names = frozenset(pattern["eventName"]) | (names or frozenset())
        return cls(
            batch_size=properties.get("BatchSize", 100),
            window_s=properties.get("MaximumBatchingWindowInSeconds", 0),
            retries=properties.get("MaximumRetryAttempts", 10_000),
            age_s=properties.get("MaximumRecordAgeInSeconds", 86_400),
            bisects=properties.get("BisectBatchOnFunctionError", False),
            reports="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", ()),
            names=names,
        )


@dataclass(slots=True)
class Reader:
    """One event source mapping."""

    machine: Machine
    faults: Faults
    stream: Stream
    settings: Settings
    invoke: Invoke
    discard: Callable[[Sequence[Entry], str], None]
    handled: Callable[[Sequence[Entry]], None]
    off_until: float = 0.0
    retention_s: float = 86_400.0
    delivered: int = 0
    done: dict[int, int] = field(default_factory=dict)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    ends: dict[int, asyncio.Event] = field(default_factory=dict)
    busy: int = 0
    # Not in any of AWS's texts: whether a partial answer uses up a retry. Each history has one of the two.
    partial_counts: bool = False

    def start(self) -> None:
        """Read every shard that there is or will be."""
        self.stream.readers.append(self._follow)
        for shard in self.stream.shards:
            self._follow(shard)

    def behind(self) -> int:
        """How many records were not read yet."""
        return sum(len(shard.entries) - self.done[id(shard)] for shard in self.stream.shards) + self.busy

    def _follow(self, shard: Shard) -> None:
        self.done[id(shard)] = 0
        self.ends[id(shard)] = asyncio.Event()
        self.tasks.append(self.machine.loop.create_task(self._read(shard)))

    async def _read(self, shard: Shard) -> None:
        if shard.parent is not None:
            await self.ends[id(shard.parent)].wait()
        news = asyncio.Event()
        shard.news.append(news)
        while True:
            place = self.done[id(shard)]
            if place == len(shard.entries):
                if shard.closed:
                    self.ends[id(shard)].set()
                    return
                news.clear()
                await news.wait()
                continue
            await asyncio.sleep(self.faults.between(0, 0.25))
            while self.machine.now < self.off_until and not self.faults.stopped:  # noqa: ASYNC110 - virtual seconds
                await asyncio.sleep(1)
            if not self._trim(shard):
                await self._batch(shard)

    def _trim(self, shard: Shard) -> bool:
        """Lose what is older than the stream keeps it."""
        place, oldest = self.done[id(shard)], self.machine.now - self.retention_s
        lost = 0
        while place + lost < len(shard.entries) and shard.entries[place + lost].written_at < oldest:
            lost += 1
        if lost:
            self.faults.fired["stream_outage"] += lost
            self.discard(shard.entries[place : place + lost], "trimmed")
            self.done[id(shard)] = place + lost
        return lost > 0

    async def _batch(self, shard: Shard) -> None:
        place = self.done[id(shard)]
        first = shard.entries[place]
        if first.visible_at > self.machine.now:
            await asyncio.sleep(first.visible_at - self.machine.now)
        if self.settings.window_s:
            await asyncio.sleep(self.settings.window_s)
        most = min(self.settings.batch_size, self.faults.one_of((1, 3, 10, 30, 100)))
        taken: list[Entry] = []
        end = place
        while end < len(shard.entries) and len(taken) < most and shard.entries[end].visible_at <= self.machine.now:
            if self._wanted(shard.entries[end]):
                taken.append(shard.entries[end])
            end += 1
        self.busy += 1
        try:
            if taken:
                await self._deliver(taken, retries=0)
                self._again(taken)
            self.done[id(shard)] = end
        finally:
            self.busy -= 1

    def _wanted(self, entry: Entry) -> bool:
        return self.settings.names is None or entry.record["eventName"] in self.settings.names

    async def _deliver(self, entries: Sequence[Entry], retries: int) -> None:
        """Deliver until everything was handled or discarded."""
        while entries:
            if self.machine.now - entries[0].written_at > self.settings.age_s and not self.faults.stopped:
                old = [e for e in entries if self.machine.now - e.written_at > self.settings.age_s]
                self._give_up(old, "age")
                entries = entries[len(old) :]
                continue
            outcome = await self._invoke(entries)
            failed_at = self._failed_at(entries, outcome)
            if failed_at is None:
                self.handled(entries)
                return
            if failed_at > 0:
                self.handled(entries[:failed_at])
                entries = entries[failed_at:]
                retries = retries + 1 if self.partial_counts else 0
            elif self.settings.bisects and len(entries) > 1 and outcome.failed:
                half = len(entries) // 2
                await self._deliver(entries[:half], retries)
                entries = entries[half:]
                continue
            else:
                retries += 1
            if retries > self.settings.retries:
                self._give_up(entries, "retries")
                return
            await asyncio.sleep(min(0.5 * 2.0**retries, 30.0) * self.faults.between(0.5, 1.0))

    async def _invoke(self, entries: Sequence[Entry]) -> Outcome:
        await self.faults.put_off()
        self.delivered += len(entries)
        return await self.invoke([entry.record for entry in entries])

    def _failed_at(self, entries: Sequence[Entry], outcome: Outcome) -> int | None:
        """The place of the first record to deliver again, which is the lowest number reported; None without one."""
        if outcome.failed:
            return 0
        answer = outcome.result
        if not self.settings.reports or not answer or not answer.get("batchItemFailures"):
            return None
        numbers = {int(entry.record["dynamodb"]["SequenceNumber"]): place for place, entry in enumerate(entries)}
        try:
            reported = [int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]
        except (KeyError, TypeError, ValueError):
            return 0  # a bad identifier is a complete failure
        if any(number not in numbers for number in reported):
            return 0
        return numbers[min(reported)]

    def _give_up(self, entries: Sequence[Entry], why: str) -> None:
        self.faults.fired["retries_exhausted"] += 1
        self.discard(entries, why)

    def _again(self, entries: Sequence[Entry]) -> None:
        """At least once: the same batch again, at once or long after."""
        for kind, low, high in (("redelivered", 0.0, 2.0), ("late_replay", 20.0, 240.0)):
            if self.faults.strikes(kind):
                self.tasks.append(self.machine.loop.create_task(self._repeat(entries, self.faults.between(low, high))))

    async def _repeat(self, entries: Sequence[Entry], after: float) -> None:
        await asyncio.sleep(after)
        self.busy += 1
        try:
            self.delivered += len(entries)
            await self.invoke([entry.record for entry in entries])
        finally:
            self.busy -= 1


def _image(item: Item) -> dict[str, Any]:
    """The item as JSON carries it: bytes in base64."""
    return {
        name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else dict(value)
        for name, value in item.items()
    }


def _renumbered(entry: Entry, number: int) -> Entry:
    change = {**entry.record["dynamodb"], "SequenceNumber": f"{number:021d}"}
    record = {**entry.record, "dynamodb": change}
    return Entry(record, number, entry.item, entry.written_at, entry.visible_at, entry.poison)
