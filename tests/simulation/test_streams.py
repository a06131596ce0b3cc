"""The event source mapping: it delivers as AWS documents it, which is what the simulation's word rests on."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests.simulation.database import Database
from tests.simulation.faults import Faults
from tests.simulation.streams import Entry, Reader, Record, Settings, Stream
from tests.simulation.time_machine import Loop, Machine, Outcome

HANDLED: Mapping[str, Any] = {"batchItemFailures": []}
PROPERTIES: Mapping[str, Any] = {
    "BatchSize": 100,
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 2,
    "MaximumRecordAgeInSeconds": 300,
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "FilterCriteria": {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]},
}
Answer = Callable[[Sequence[int]], Any]


class Mapped:
    """A stream of tickets, numbered from 0, and a function that answers as it is told to."""

    def __init__(self, answer: Answer, **rates: float) -> None:
        self.loop = Loop()
        self.machine = Machine(self.loop, random.Random(1))
        self.faults = Faults(random.Random(1), rates)
        table = Database(lambda: 0.0).tables["streamer-Connections"]
        self.stream = Stream(self.machine, self.faults, table, by_item=True)
        self.answer = answer
        self.deliveries: list[list[int]] = []
        self.discarded: list[tuple[str, list[int]]] = []
        self.reader = Reader(
            self.machine, self.faults, self.stream, Settings.of(PROPERTIES), self.invoke, self.discard, lambda _: None
        )

    async def invoke(self, records: Sequence[Record]) -> Outcome:
        self.deliveries.append([number_of(record) for record in records])
        answer = self.answer(self.deliveries[-1])
        return Outcome(error=answer) if isinstance(answer, Exception) else Outcome(answer)

    def discard(self, entries: Sequence[Entry], why: str) -> None:
        self.discarded.append((why, [number_of(entry.record) for entry in entries]))

    def write(self, count: int, *, removed: bool = False) -> None:
        for number in range(count):
            row = {"connection_id": {"S": str(number)}}
            self.stream.write((str(number),), row if removed else None, None if removed else row, 0, by_expiry=removed)

    def run(self, seconds: float = 60) -> None:
        async def live() -> None:
            self.reader.start()
            await asyncio.sleep(seconds)

        self.loop.run_until_complete(live())
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


def number_of(record: Record) -> int:
    return int(record["dynamodb"]["Keys"]["connection_id"]["S"])


def sequence(mapped: Mapped, number: int) -> str:
    entries = [entry for shard in mapped.stream.shards for entry in shard.entries]
    return str(next(e for e in entries if number_of(e.record) == number).record["dynamodb"]["SequenceNumber"])


def reporting(mapped: Callable[[], Mapped], *numbers: int) -> Any:
    return {"batchItemFailures": [{"itemIdentifier": sequence(mapped(), number)} for number in numbers]}


def test_what_is_handled_is_delivered_once_and_in_order() -> None:
    mapped = Mapped(lambda _: HANDLED)
    mapped.write(7)
    mapped.run()
    assert [number for batch in mapped.deliveries for number in batch] == list(range(7))


def test_everything_from_the_lowest_number_reported_comes_again() -> None:
    reported: list[list[int]] = []

    def answer(numbers: Sequence[int]) -> Any:
        if len(numbers) < 3 or reported:
            return HANDLED
        reported.append(list(numbers))
        return reporting(lambda: mapped, numbers[2], numbers[1])

    mapped = Mapped(answer)
    mapped.write(40)
    mapped.run()
    [first] = reported
    again = mapped.deliveries[mapped.deliveries.index(first) + 1]
    assert again == first[1:]


def test_a_batch_that_raises_is_split_until_the_one_that_does_it_is_alone() -> None:
    mapped = Mapped(lambda numbers: ValueError("made up") if 3 in numbers else HANDLED)
    mapped.write(6)
    mapped.run()
    assert mapped.discarded == [("retries", [3])]
    assert mapped.deliveries.count([3]) == PROPERTIES["MaximumRetryAttempts"] + 1
    assert {number for batch in mapped.deliveries if 3 not in batch for number in batch} == {0, 1, 2, 4, 5}


@pytest.mark.parametrize("identifier", ["", None, "x", "123"])
def test_an_answer_with_a_bad_identifier_is_a_complete_failure(identifier: object) -> None:
    mapped = Mapped(lambda _: {"batchItemFailures": [{"itemIdentifier": identifier}]})
    mapped.write(1)
    mapped.run()
    assert mapped.deliveries == [[0]] * 3
    assert mapped.discarded == [("retries", [0])]


def test_what_the_filter_does_not_name_is_passed_over() -> None:
    mapped = Mapped(lambda _: HANDLED)
    mapped.write(3)
    mapped.write(3, removed=True)
    mapped.run()
    assert sum(map(len, mapped.deliveries)) == 3
    assert mapped.reader.behind() == 0


def test_what_is_older_than_the_stream_keeps_it_is_lost() -> None:
    mapped = Mapped(lambda _: HANDLED)
    mapped.reader.off_until, mapped.reader.retention_s = 100.0, 50.0
    mapped.write(3)
    mapped.run(seconds=200)
    assert mapped.deliveries == []
    assert mapped.discarded == [("trimmed", [0, 1, 2])]


def test_a_parent_is_read_to_its_end_before_its_children() -> None:
    mapped = Mapped(lambda _: HANDLED, shard_split=0.3)
    mapped.write(40)
    shard_of = {number_of(e.record): shard for shard in mapped.stream.shards for e in shard.entries}
    mapped.run()
    order = [number for batch in mapped.deliveries for number in batch]
    assert len(mapped.stream.shards) > 3
    assert sorted(order) == list(range(40))
    for place, number in enumerate(order):
        parent = shard_of[number].parent
        assert all(shard_of[later] is not parent for later in order[place:])


def test_a_batch_may_come_again_although_it_was_handled() -> None:
    mapped = Mapped(lambda _: HANDLED, redelivered=1.0)
    mapped.write(2)
    mapped.run()
    delivered = [number for batch in mapped.deliveries for number in batch]
    assert sorted(delivered) == [0, 0, 1, 1]


def test_records_of_one_item_never_change_places() -> None:
    mapped = Mapped(lambda _: HANDLED, reordered=1.0)
    for turn in range(10):
        before, after = ({"connection_id": {"S": "1"}, "turn": {"N": str(n)}} for n in (turn, turn + 1))
        mapped.stream.write(("1",), before if turn else None, after, 0, by_expiry=False)
        mapped.write(1)
    entries = mapped.stream.shards[0].entries
    turns = [int(e.record["dynamodb"]["NewImage"]["turn"]["N"]) for e in entries if e.item[1] == ("1",)]
    numbers = [int(e.record["dynamodb"]["SequenceNumber"]) for e in entries]
    assert turns == list(range(1, 11))
    assert numbers == sorted(numbers)
    assert mapped.faults.fired["reordered"] > 0
    mapped.loop.close()
