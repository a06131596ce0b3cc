"""Real stream records: what the tests add to the reader that `streamer capture` uses.

Works on anything that speaks DynamoDB Streams: moto in this process, MiniStack, DynamoDB Local.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools import streams
from tools.streams import Record, as_delivered

__all__ = ["Record", "Response", "StreamReader", "as_delivered", "number_of", "renumbered", "rest_of"]

Response = Mapping[str, Sequence[Mapping[str, str]]]


class StreamReader(streams.StreamReader):
    """Reads the stream of one table, without the records that only moto writes."""

    def read(self) -> list[Record]:
        """What was written since the last read, in order within each shard, parents before their children."""
        return [record for record in super().read() if not _is_half_made(record)]

    def _drain(self, shard: str) -> Iterator[Any]:
        try:
            yield from super()._drain(shard)
        except self._client.exceptions.TrimmedDataAccessException:
            # DynamoDB Local trims what an iterator of an empty shard points at: begin that one anew.
            del self._iterators[shard]
            yield from super()._drain(shard)


def rest_of(records: Sequence[Record], response: Response) -> list[Record]:
    """What Lambda delivers again after an answer: everything from the lowest sequence number reported on."""
    reported = [int(failure["itemIdentifier"]) for failure in response["batchItemFailures"]]
    return [record for record in records if reported and number_of(record) >= min(reported)]


def number_of(record: Record) -> int:
    """A record's place in its shard."""
    return int(record["dynamodb"]["SequenceNumber"])


def renumbered(records: Sequence[Record], numbers: Sequence[int]) -> list[Record]:
    """The same records with these sequence numbers."""
    pairs = zip(records, numbers, strict=True)
    return [{**one, "dynamodb": {**one["dynamodb"], "SequenceNumber": str(number)}} for one, number in pairs]


def _is_half_made(record: Record) -> bool:
    """Whether moto wrote this one too many: an update that makes a row gets a record with the bare key first."""
    change = record["dynamodb"]
    return bool(record["eventName"] == "INSERT" and change.get("NewImage") == change["Keys"])
