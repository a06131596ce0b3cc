"""The StatusIndex: the requests of each status by time - who is overdue, whose lease is over.

Requests are spread over shards by their ids; what is in order within each is merged here.
"""

import base64
import binascii
from collections.abc import Iterator
from heapq import merge
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from adapters.aws import translated
from adapters.items import PassedOver, Row, readable
from domain import exact_json
from domain.errors import InvalidJson, InvalidValue
from domain.instant import from_text
from domain.state import Status
from domain.validity import NO_CURSOR
from projections.requests import status_shard
from projections.turns import PAST, READY, Turn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_START: Final = "!"  # before every place
_PAGE: Final = 200


class Listed(Struct, frozen=True):
    """A request's entry in the StatusIndex."""

    request_id: str
    queue_key: str
    expires_at: int
    turn: Turn | None
    ends_by: int | None = None


class StatusIndex:
    """The door to the StatusIndex."""

    def __init__(self, client: "DynamoDBClient", table: str, shards: int, passed_over: PassedOver) -> None:
        self._client = client
        self._table = table
        self._shards = shards
        self._passed_over = passed_over

    def in_status(self, status: Status, limit: int, cursor: str | None) -> tuple[list[Listed], str | None]:
        """At most limit entries of a status after the cursor, and the cursor that leads on if there are more."""
        after = _place(cursor)
        shards = (_settled(self._read(status, shard, after[0], PAST, limit + 1)) for shard in range(self._shards))
        entries = (entry for entry in merge(*shards, key=_order) if _order(entry) > after)
        found = list(islice(entries, limit + 1))
        return found[:limit], _told_place(found[limit - 1]) if len(found) > limit else None

    def between(self, status: Status, low: str, high: str) -> Iterator[Listed]:
        """Requests whose time is from one instant to another, both included."""
        for shard in range(self._shards):
            yield from self._read(status, shard, low, high, _PAGE)

    def until(self, status: Status, high: str, limit: int) -> Iterator[Listed]:
        """Requests whose time came up to an instant, the oldest first, at most limit of each shard."""
        for shard in range(self._shards):
            yield from islice(self._read(status, shard, _START, high, limit), limit)

    def count(self, status: Status, pages: int) -> int:
        """How many requests are in a status; of more than so many pages, one a shard at least, what those have."""
        each = max(1, pages // self._shards)
        return sum(self._count(status_shard(status, shard), each) for shard in range(self._shards))

    def _count(self, shard: str, pages: int) -> int:
        with translated("count status", table=self._table, shard=shard):
            found = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName="StatusIndex",
                KeyConditionExpression="status_shard = :shard",
                ExpressionAttributeValues={":shard": {"S": shard}},
                Select="COUNT",
            )
            return sum(page["Count"] for page in islice(found, pages))

    def _read(self, status: Status, shard: int, low: str, high: str, page_size: int) -> Iterator[Listed]:
        """A shard's entries in order, page by page as they are asked for."""
        with translated("list status", table=self._table, status=status):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName="StatusIndex",
                KeyConditionExpression="status_shard = :shard AND queue_key BETWEEN :low AND :high",
                ExpressionAttributeValues={
                    ":shard": {"S": status_shard(status, shard)},
                    ":low": {"S": low},
                    ":high": {"S": high},
                },
                PaginationConfig={"PageSize": page_size},
            )
            for page in pages:
                yield from readable(_listed, page["Items"], self._passed_over)


def _listed(item: Any) -> Listed:
    row = Row(item, "request_id")
    turn = row.read("turn", lambda: _turn(row)) if "turn" in item else None
    ends_by = row.number("ends_by") if "ends_by" in item else None
    for name in {"expires_at", "ends_by"} & item.keys():
        row.time_to_live(name)
    return Listed(row.text("request_id"), row.text("queue_key"), row.number("expires_at"), turn, ends_by)


def _turn(row: Row) -> Turn:
    turn = Turn.parsed(row.text("turn"), is_ready=row.text("queue_shard").startswith(READY))
    from_text(turn.due)
    return turn


def _settled(entries: Iterator[Listed]) -> Iterator[Listed]:
    """Entries of one shard with those that share their time by id: DynamoDB promises no order among them."""
    for _, tied in groupby(entries, key=lambda entry: entry.queue_key):
        yield from sorted(tied, key=_order)


def _order(entry: Listed) -> tuple[str, str]:
    return entry.queue_key, entry.request_id


def _told_place(entry: Listed) -> str:
    return base64.urlsafe_b64encode(exact_json.encode(_order(entry)).encode()).decode()


def _place(cursor: str | None) -> tuple[str, str]:
    """The place in the order that a cursor names: the very start without one."""
    if cursor is None:
        return _START, ""
    try:
        key, request_id = exact_json.decode(base64.urlsafe_b64decode(cursor.encode()))
    except (binascii.Error, ValueError, TypeError, InvalidJson) as exc:
        raise InvalidValue(f"cursor: {NO_CURSOR}", field="cursor") from exc
    return str(key) or _START, str(request_id)
