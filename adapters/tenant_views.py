"""Reading the audit and metrics views of one tenant."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from adapters.aws import translated
from adapters.items import Item, PassedOver, from_item, none_passed_over, readable, to_item
from adapters.view_writes import SHARDS as COPIES
from adapters.view_writes import sharded
from domain import exact_json
from domain.errors import InvalidJson, Unavailable, Undecodable
from domain.instant import from_text, to_text
from domain.names import require_name
from domain.validity import checked
from projections import gauges
from projections.audit import SHARDS, partition

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEYS: Final = frozenset({"scope", "minute", "expires_at"})


class TenantViews:
    """The audit and metrics views, as one tenant sees them."""

    def __init__(self, client: "DynamoDBClient", audit_table: str, metrics_table: str, tenant_id: str) -> None:
        require_name("tenant_id", tenant_id)
        self._client = client
        self._audit = audit_table
        self._metrics = metrics_table
        self._tenant_id = tenant_id

    @checked
    def metrics(self, start: datetime, end: datetime, action: str | None = None) -> Iterator[dict[str, Any]]:
        """The rows of counts from the minute of start until before end, each with the minute's instant as `at`."""
        for minute, copies in self._minutes(start, end, action):
            yield _counts(minute, copies)

    @checked
    def metrics_page(
        self, start: datetime, end: datetime, most: int, action: str | None = None
    ) -> tuple[list[dict[str, Any]], datetime | None]:
        """The rows of counts, and the minute before which they end where there are more than so many to read."""
        read, rows = 0, list[dict[str, Any]]()
        for minute, copies in self._minutes(start, end, action):
            read += len(copies)
            if read > most:
                return rows, from_text(f"{minute}Z")
            rows.append(_counts(minute, copies))
        return rows, None

    def gauges(self) -> dict[str, int]:
        """The tenant's gauges as they are now, a moment behind the log: one read, whatever the tenant has."""
        keys = [to_item(sharded(gauges.key_of(self._tenant_id), n)) for n in range(COPIES)]
        with translated("read gauges", table=self._metrics):
            page = self._client.batch_get_item(RequestItems={self._metrics: {"Keys": keys}})
        if page.get("UnprocessedKeys"):
            raise Unavailable("gauges stay unread", table=self._metrics)
        return summed(map(from_item, page["Responses"].get(self._metrics, [])))

    @checked
    def audit(
        self, day: date, user_id: str | None = None, passed_over: PassedOver = none_passed_over
    ) -> Iterator[dict[str, Any]]:
        """The audit entries of a UTC day in the order they happened, of everybody or of one user."""
        return readable(_shown, self._entries(day, "", user_id, passed_over), passed_over)

    @checked
    def audit_page(
        self, day: date, limit: int, budget: int, cursor: str | None, user_id: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Entries of a UTC day after the cursor, and the cursor that leads on if there are more.

        Units: at most limit of them, and at least one; budget in bytes of JSON.
        """
        items: list[dict[str, Any]] = []
        size, last = 0, None
        for row in self._entries(day, cursor or "", user_id):
            item = _shown(row)
            size += len(exact_json.encode(item).encode())
            if items and (len(items) == limit or size > budget):
                return items, last
            items.append(item)
            last = row["entry"]
        return items, None

    @checked
    def changed(self, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        """The entries from an instant on, in the order they happened; those of requests name their request."""
        for days in range((until.date() - since.date()).days + 1):
            yield from map(_shown, self._entries(since.date() + timedelta(days), to_text(since) if days == 0 else ""))

    def _minutes(
        self, start: datetime, end: datetime, action: str | None
    ) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Each minute with the copies of its row."""
        scope = self._tenant_id if action is None else f"{self._tenant_id}#{action}"
        first, last = to_text(start)[:16], to_text(end - timedelta(milliseconds=1))[:16]
        scopes = (sharded({"scope": scope}, n)["scope"] for n in range(COPIES))
        copies = (self._query(self._metrics, "scope", value, "minute", first, last) for value in scopes)
        return ((minute, list(rows)) for minute, rows in groupby(merge(*copies, key=_minute), key=_minute))

    def _entries(
        self, day: date, after: str, user_id: str | None = None, passed_over: PassedOver = none_passed_over
    ) -> Iterator[dict[str, Any]]:
        first, last = f"{after}\x01", "\x7f"
        parts = (partition(self._tenant_id, day.isoformat(), n) for n in range(SHARDS))
        shards = (self._query(self._audit, "day", part, "entry", first, last, user_id, passed_over) for part in parts)
        return merge(*shards, key=lambda row: row["entry"])

    def _query(
        self,
        table: str,
        partition_name: str,
        value: str,
        sort_name: str,
        low: str,
        high: str,
        user_id: str | None = None,
        passed_over: PassedOver = none_passed_over,
    ) -> Iterator[dict[str, Any]]:
        query: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": "#partition = :value AND #sort BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#partition": partition_name, "#sort": sort_name},
            "ExpressionAttributeValues": to_item({":value": value, ":low": low, ":high": high, ":user": user_id}),
        }
        if user_id is not None:
            query["FilterExpression"] = "user_id = :user"
        with translated("read view", table=table):
            for page in self._client.get_paginator("query").paginate(**query):
                yield from readable(lambda item: _row(item, sort_name), page["Items"], passed_over)


def _row(item: Item, sort_name: str) -> dict[str, Any]:
    try:
        return from_item(item)
    except Undecodable as exc:
        raise Undecodable(exc.reason, **exc.context, **{sort_name: item.get(sort_name, {}).get("S")}) from exc


def summed(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What rows of counts come to together; Undecodable when one of them is no number."""
    total: Counter[str] = Counter()
    for row in rows:
        counts = {name: count for name, count in row.items() if name not in _KEYS}
        if odd := next((name for name, count in counts.items() if type(count) is not int), None):
            raise Undecodable("no number", field=odd, scope=row.get("scope"))
        total.update(counts)
    return dict(total)


def _counts(minute: str, copies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {"at": f"{minute}:00.000Z", **dict(sorted(summed(copies).items()))}


def _minute(row: Mapping[str, Any]) -> str:
    return str(row["minute"])


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"at": row["at"], "type": row["type"], "user_id": row["user_id"], **exact_json.decode(row["detail"])}
    except (KeyError, TypeError, InvalidJson) as exc:
        raise Undecodable(f"{type(exc).__name__}: {exc}", field="detail", entry=row["entry"]) from exc
