"""Lambda's event source mappings: what hands a stream's records and a queue's messages to the functions."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from threading import Event
from typing import Final

from tests.faults.functions import Function, Lost
from tests.kit.streams import Record, StreamReader, rest_of
from tests.kit.tables import Aws

VISIBILITY_S: Final = 8
_BATCH: Final = 10
_AGAIN: Final = 0.1  # of the batches: one from before comes once more
_PAUSE_S: Final = 0.1
_DUPLICATED: Final = 0.05  # of the messages: their removal is lost


class Stream:
    """The log's stream, read once for all who want its records."""

    def __init__(self, aws: Aws) -> None:
        self._reader = StreamReader(aws.streams, aws.tables["Events"])
        self.records: list[Record] = []

    def run(self, stop: Event) -> None:
        """Read until told to stop, and then to the end."""
        while not stop.wait(_PAUSE_S):
            self.records += self._reader.read()
        self.records += self._reader.read()


class StreamMapping:
    """In order, at least once, again from the lowest number that is reported."""

    def __init__(self, stream: Stream, function: Function, random: Random, counts: Counter[str]) -> None:
        self._stream = stream
        self._function = function
        self._random = random
        self._counts = counts
        self._place = 0

    @property
    def behind(self) -> int:
        """How many records are still to come."""
        return len(self._stream.records) - self._place

    def run(self, stop: Event) -> None:
        """Deliver until told to stop."""
        while not stop.is_set():
            batch = self._stream.records[self._place : self._place + _BATCH]
            if not batch:
                stop.wait(_PAUSE_S)
                continue
            if self._random.random() < _AGAIN:
                start = self._random.randrange(self._place + 1)
                self._deliver(self._stream.records[start : start + _BATCH])
            left = self._deliver(batch)
            self._place += len(batch) - len(left)
            if left:
                self._counts["records delivered again"] += len(left)
                stop.wait(_PAUSE_S)

    def _deliver(self, batch: Sequence[Record]) -> Sequence[Record]:
        """What of a batch must come again."""
        self._counts["records delivered"] += len(batch)
        try:
            return rest_of(batch, self._function.invoke({"Records": batch}))
        except Lost:
            return batch


class QueueMapping:
    """One message at a time; what is not answered, or whose removal is lost, is handed out once more."""

    def __init__(self, aws: Aws, function: Function, random: Random, counts: Counter[str]) -> None:
        self._sqs = aws.sqs
        self._url = aws.queue_url
        self._function = function
        self._random = random
        self._counts = counts

    def run(self, stop: Event) -> None:
        """Hand out messages until told to stop."""
        while not stop.is_set():
            given = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=1, WaitTimeSeconds=1)
            for message in given.get("Messages", ()):
                self._counts["tokens delivered"] += 1
                record = {"messageId": message["MessageId"], "body": message["Body"]}
                if self._is_handled(record) and self._random.random() >= _DUPLICATED:
                    with suppress(self._sqs.exceptions.ReceiptHandleIsInvalid):  # another one had it meanwhile
                        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])

    def _is_handled(self, record: dict[str, str]) -> bool:
        try:
            return not self._function.invoke({"Records": [record]})["batchItemFailures"]
        except Lost:
            return False


class Schedule:
    """The sweeper's schedule, faster than on AWS: leases are shorter here."""

    def __init__(self, function: Function, every_s: float) -> None:
        self._function = function
        self._every_s = every_s

    def run(self, stop: Event) -> None:
        """Have it take its turns until told to stop."""
        while not stop.wait(self._every_s):
            try:
                self._function.invoke({})
            except Lost:
                continue
