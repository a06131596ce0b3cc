"""Real stream records, read through the streams API and handed over as Lambda does.

Works on anything that speaks DynamoDB Streams: AWS, MiniStack, DynamoDB Local, moto.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

Record = dict[str, Any]


class StreamReader:
    """Reads the stream of one table, from its beginning on; each read goes on where the last one ended."""

    def __init__(self, client: "DynamoDBStreamsClient", table: str) -> None:
        self._client = client
        self._arn = client.list_streams(TableName=table)["Streams"][0]["StreamArn"]
        self._iterators: dict[str, str | None] = {}

    def read(self) -> list[Record]:
        """What was written since the last read, in order within each shard, parents before their children."""
        return [as_delivered(record, self._arn) for shard in self._shards() for record in self._drain(shard)]

    def _shards(self) -> list[str]:
        query: dict[str, Any] = {"StreamArn": self._arn}
        parents: dict[str, str] = {}
        while True:
            page = self._client.describe_stream(**query)["StreamDescription"]
            parents |= {shard["ShardId"]: shard.get("ParentShardId", "") for shard in page["Shards"]}
            if not page.get("LastEvaluatedShardId"):
                return sorted(parents, key=lambda shard: _depth(shard, parents))
            query["ExclusiveStartShardId"] = page["LastEvaluatedShardId"]

    def _drain(self, shard: str) -> Iterator[Any]:
        if shard not in self._iterators:
            first = self._client.get_shard_iterator(
                StreamArn=self._arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
            )
            self._iterators[shard] = first["ShardIterator"]
        while iterator := self._iterators[shard]:
            page = self._client.get_records(ShardIterator=iterator)
            self._iterators[shard] = page.get("NextShardIterator")
            yield from page["Records"]
            if not page["Records"]:
                return


def as_delivered(record: Mapping[str, Any], stream_arn: str) -> Record:
    """A record of the streams API as Lambda puts it into an event: JSON, with the stream it comes from."""
    change = dict(record["dynamodb"])
    created = change["ApproximateCreationDateTime"]
    change["ApproximateCreationDateTime"] = int(created.timestamp()) if isinstance(created, datetime) else created
    for name in ("Keys", "NewImage", "OldImage"):
        if name in change:
            change[name] = {attribute: _as_json(value) for attribute, value in change[name].items()}
    return {**record, "dynamodb": change, "eventSourceARN": stream_arn}


def _depth(shard: str, parents: Mapping[str, str]) -> int:
    depth = 0
    while shard in parents:
        shard = parents[shard]
        depth += 1
    return depth


def _as_json(value: Any) -> Any:
    """An attribute value with its bytes as base64 text, at any depth."""
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case Mapping():
            return {name: _as_json(inner) for name, inner in value.items()}
        case list():
            return [_as_json(inner) for inner in value]
        case _:
            return value
