"""The QueueIndex: the requests that wait for a worker, in the order of their turns.

A look at it costs one query while the queue is short: then a single page shows all of it. From a long queue it reads
on from the tenant that was served last.
"""

from collections.abc import Container, Iterator
from heapq import merge
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from adapters.aws import translated
from adapters.items import Item, PassedOver, Row, readable
from projections.intents import Wake
from projections.turns import PAST, READY, WAITING, Turn, place, queue_shard

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PAGE: Final = 25  # some 4 KB: half a read unit
_START: Final = "!"  # before every place


class Rotation(Struct):
    """What a worker remembers between its claims: the tenant served last, and what it saw of the queue."""

    served: str = ""
    is_long: bool = False
    shown: frozenset[str] = frozenset()  # all of a short queue

    def rank(self, wake: Wake) -> tuple[bool, tuple[str, int, str]]:
        """A request's rank as seen from here: the tenants that follow the one served last, then round again."""
        return wake.turn.rank[0] <= self._place, wake.turn.rank

    def shows(self, request_id: str) -> bool:
        """Whether the index leads to a ready request without a token; of a long queue it is taken for granted."""
        return self.is_long or request_id in self.shown

    @property
    def after(self) -> str:
        """Behind all turns of the tenant that was served last."""
        return self._place + PAST

    @property
    def _place(self) -> str:
        return place(self.served) if self.served else _START


class QueueIndex:
    """The door to the QueueIndex."""

    def __init__(self, client: "DynamoDBClient", table: str, shards: int, passed_over: PassedOver) -> None:
        self._client = client
        self._table = table
        self._shards = shards
        self._passed_over = passed_over

    def ready(self, rotation: Rotation, full: Container[str]) -> Iterator[Wake]:
        """The requests that may run, as their turns come; tenants that are full by then are passed over."""
        if not rotation.is_long:
            pages = [self._page(shard, _START, PAST) for shard in self._partitions()]
            wakes = sorted((wake for page, _ in pages for wake in page), key=rotation.rank)
            rotation.shown = frozenset(wake.request_id for wake in wakes)
            if not any(following for _, following in pages):
                yield from wakes
                return
        rotation.is_long = False  # unless some of it fits no page
        for low, high in ((rotation.after, PAST), (_START, rotation.after)):
            shards = (self._range(shard, low, high, rotation, full) for shard in self._partitions())
            yield from merge(*shards, key=lambda wake: wake.turn.rank)

    def next_of(self, tenant_id: str, now: str) -> Wake | None:
        """The best of a tenant's requests that may run by now; None when none waits."""
        here = place(tenant_id)
        for kind, high in ((READY, f"{here}{PAST}"), (WAITING, f"{here}{now}{PAST}")):
            found, _ = self._page(queue_shard(kind, tenant_id, self._shards), here, high, limit=1)
            if found:
                return found[0]
        return None

    def ahead_of(self, turn: Turn) -> int:
        """How many of the tenant's ready requests come before this one."""
        before = turn.key[:-1]  # sorts just before the key and those like it: a range takes in both its ends
        query = self._query(queue_shard(READY, turn.tenant_id, self._shards), place(turn.tenant_id), before)
        with translated("count queue", table=self._table, tenant_id=turn.tenant_id):
            pages = self._client.get_paginator("query").paginate(**query, Select="COUNT")
            return sum(page["Count"] for page in pages)

    def _partitions(self) -> list[str]:
        return [f"{READY}#{shard}" for shard in range(self._shards)]

    def _range(self, shard: str, low: str, high: str, rotation: Rotation, full: Container[str]) -> Iterator[Wake]:
        """A partition's entries in order, page by page; from a tenant that is full it leaps to the next."""
        start: Any = None
        while low < high:
            page, start = self._page(shard, low, high, start)
            rotation.is_long |= start is not None
            for wake in page:
                if wake.turn.tenant_id in full:
                    low, start = place(wake.turn.tenant_id) + PAST, None
                    break
                yield wake
            else:
                if start is None:
                    return

    def _page(self, shard: str, low: str, high: str, start: Any = None, limit: int = _PAGE) -> tuple[list[Wake], Any]:
        """A page of a partition from one key to another, and where the next one starts, if there is one."""
        query = {**self._query(shard, low, high), **({"ExclusiveStartKey": start} if start else {})}
        with translated("read queue", table=self._table, shard=shard):
            page = self._client.query(**query, Limit=limit)
        is_ready = shard.startswith(READY)
        wakes = readable(lambda item: _wake(item, is_ready=is_ready), page["Items"], self._passed_over)
        return list(wakes), page.get("LastEvaluatedKey")

    def _query(self, shard: str, low: str, high: str) -> Any:
        return {
            "TableName": self._table,
            "IndexName": "QueueIndex",
            "KeyConditionExpression": "queue_shard = :shard AND turn BETWEEN :low AND :high",
            "ExpressionAttributeValues": {":shard": {"S": shard}, ":low": {"S": low}, ":high": {"S": high}},
        }


def _wake(item: Item, *, is_ready: bool) -> Wake:
    row = Row(item, "request_id")
    return Wake(row.text("request_id"), row.read("turn", lambda: Turn.parsed(row.text("turn"), is_ready=is_ready)))
