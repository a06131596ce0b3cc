"""The StatusIndex as the queue: who is next, who waits, whose lease is over.

Requests are spread over shards by their ids; what is in order within each is merged here.
"""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from adapters.aws import translated
from adapters.items import from_item
from domain import exact_json
from domain.errors import InvalidFrame, InvalidJson
from domain.state import Status
from projections.requests import READY, WAITING, status_shard

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FEW: Final = 3  # entries of a shard in a first look at the queue
_START: Final = "!"  # before and after every place in the queue
_END: Final = "~"


@dataclass(frozen=True, slots=True)
class Queued:
    """A request's entry in the StatusIndex."""

    request_id: str
    queue_key: str
    expires_at: int


class QueueIndex:
    """The door to the StatusIndex."""

    def __init__(self, client: "DynamoDBClient", table: str, shards: int) -> None:
        self._client = client
        self._table = table
        self._shards = shards

    def in_status(self, status: Status, limit: int, cursor: str | None) -> tuple[list[Queued], str | None]:
        """At most limit entries of a status after the cursor, and the cursor that leads on if there are more."""
        after = _place(cursor)
        shards = (self._queued(status, shard, after[0], _END, limit + 1) for shard in range(self._shards))
        entries = (entry for entry in merge(*shards, key=_order) if _order(entry) > after)
        found = list(islice(entries, limit + 1))
        return found[:limit], _told_place(found[limit - 1]) if len(found) > limit else None

    def ready(self, limit: int) -> Iterator[Queued]:
        """The best of the requests that may run at once, highest priority, then oldest; read as far as asked for."""
        shards = (self._queued(Status.PENDING, n, f"{READY}#", f"{READY}$", _FEW) for n in range(self._shards))
        return islice(merge(*shards, key=_order), limit)

    def ahead_of(self, key: str) -> int:
        """How many requests that may run at once come before this place in the queue."""
        # BETWEEN takes in both ends: what shares the place is counted and taken off again.
        return sum(
            self._count(Status.PENDING, shard, f"{READY}#", key) - self._count(Status.PENDING, shard, key, key)
            for shard in range(self._shards)
        )

    def due(self, status: Status, until: str, limit: int) -> Iterator[Queued]:
        """Waiting requests whose time came before the instant `until`, at most limit of each shard."""
        return self._some(status, f"{WAITING}#", f"{WAITING}#{until}", limit)

    def ready_since(self, priority_key: str, until: str, limit: int) -> Iterator[Queued]:
        """Ready requests of one priority that were due before the instant `until`, at most limit of each shard."""
        return self._some(Status.PENDING, priority_key, f"{priority_key}{until}", limit)

    def leases_over(self, now: str, limit: int) -> Iterator[Queued]:
        """Running requests whose lease ended before the instant `now`, at most limit of each shard."""
        return self._some(Status.PROCESSING, "0", now, limit)

    def _some(self, status: Status, low: str, high: str, limit: int) -> Iterator[Queued]:
        for shard in range(self._shards):
            yield from islice(self._queued(status, shard, low, high, limit), limit)

    def _queued(self, status: Status, shard: int, low: str, high: str, page_size: int) -> Iterator[Queued]:
        """A shard's entries of the StatusIndex in order, page by page as they are asked for."""
        with translated("read queue", table=self._table, status=status):
            pages = self._client.get_paginator("query").paginate(
                **self._range(status, shard, low, high), PaginationConfig={"PageSize": page_size}
            )
            for page in pages:
                for row in map(from_item, page["Items"]):
                    yield Queued(row["request_id"], row["queue_key"], row["expires_at"])

    def _count(self, status: Status, shard: int, low: str, high: str) -> int:
        with translated("count queue", table=self._table, status=status):
            pages = self._client.get_paginator("query").paginate(
                **self._range(status, shard, low, high), Select="COUNT"
            )
            return sum(page["Count"] for page in pages)

    def _range(self, status: Status, shard: int, low: str, high: str) -> Any:
        return {
            "TableName": self._table,
            "IndexName": "StatusIndex",
            "KeyConditionExpression": "status_shard = :shard AND queue_key BETWEEN :low AND :high",
            "ExpressionAttributeValues": {
                ":shard": {"S": status_shard(status, shard)},
                ":low": {"S": low},
                ":high": {"S": high},
            },
        }


def _order(entry: Queued) -> tuple[str, str]:
    return entry.queue_key, entry.request_id


def _told_place(entry: Queued) -> str:
    return base64.urlsafe_b64encode(exact_json.encode(_order(entry)).encode()).decode()


def _place(cursor: str | None) -> tuple[str, str]:
    """The place in the queue that a cursor names: the very start without one."""
    if cursor is None:
        return _START, ""
    try:
        key, request_id = exact_json.decode(base64.urlsafe_b64decode(cursor.encode()))
    except (binascii.Error, ValueError, TypeError, InvalidJson) as exc:
        raise InvalidFrame("cursor: not one that was given out") from exc
    return str(key) or _START, str(request_id)
