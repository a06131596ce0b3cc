"""Reading the requests view: requests of a connection, a user, a tenant or a status, in pages."""

import base64
import binascii
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from adapters.aws import translated
from adapters.items import PassedOver, Row
from adapters.queue_index import QueueIndex
from adapters.status_index import StatusIndex
from domain import exact_json
from domain.errors import InvalidJson, InvalidValue, Unavailable
from domain.instant import from_text, to_text
from domain.names import LONGEST_REQUEST_ID, require_id
from domain.state import RequestState, Status
from domain.validity import NO_CURSOR, checked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PAGES: Final = 10  # index pages one call reads at most; a cursor leads on from there
_TRIES: Final = 5


class RequestRow(Struct, frozen=True):
    """A request as the view has it: possibly a moment behind the log."""

    request_id: str
    tenant_id: str
    user_id: str
    version: int
    state: RequestState
    connection_id: str | None = None


class Page(Struct, frozen=True):
    """Some rows, and where the next page starts if there is one.

    Shape: a list of one status may have fewer rows than were asked for, or none, and go on all the same; a cursor is
           text for the kind of list that it came from.
    """

    rows: list[RequestRow]
    cursor: str | None


class RequestView:
    """The door to the Requests table for readers.

    An entry of the queue or of a status that no code can read is passed over, and told: it must not hold up the others.
    """

    def __init__(self, client: "DynamoDBClient", table: str, shards: int, passed_over: PassedOver) -> None:
        self._client = client
        self._table = table
        self.queue = QueueIndex(client, table, shards, passed_over)
        self.statuses = StatusIndex(client, table, shards, passed_over)

    @checked
    def by_user(
        self, tenant_id: str, user_id: str, now: datetime, limit: int, cursor: str | None, status: Status | None
    ) -> Page:
        """A user's requests, newest first, 1 to 1,000 of them.

        Errors, of every list: InvalidValue, also for a cursor that is none; Unavailable; Undecodable.
        """
        return self._list("UserIndex", "user_key", f"{tenant_id}#{user_id}", now, limit, cursor, status)

    @checked
    def by_tenant(
        self, tenant_id: str, now: datetime, limit: int, cursor: str | None = None, status: Status | None = None
    ) -> Page:
        """A tenant's requests, newest first."""
        return self._list("TenantIndex", "tenant_id", tenant_id, now, limit, cursor, status)

    @checked
    def by_connection(
        self, connection_id: str, now: datetime, limit: int, cursor: str | None = None, status: Status | None = None
    ) -> Page:
        """The requests that were submitted over a connection, newest first."""
        return self._list("ConnectionIndex", "connection_id", connection_id, now, limit, cursor, status)

    @checked
    def by_status(self, status: Status, now: datetime, limit: int, cursor: str | None = None) -> Page:
        """The requests of every tenant in a status, by when they are due, their lease ends, or they ended.

        Source: the StatusIndex, sharded, so that a status costs a query for each shard (QueueShards).
        """
        entries, following = self.statuses.in_status(status, limit, cursor)
        rows = self._rows([entry.request_id for entry in entries], now)
        return Page([row for row in rows if row.state.status is status], following)

    def _list(
        self,
        index: str,
        attribute: str,
        value: str,
        now: datetime,
        limit: int,
        cursor: str | None,
        status: Status | None,
    ) -> Page:
        rows: list[RequestRow] = []
        start = _start(cursor, attribute, value)
        for _ in range(_PAGES):
            page = self._index_page(index, attribute, value, limit - len(rows), start)
            ids = [item["request_id"]["S"] for item in page["Items"]]
            rows += [row for row in self._rows(ids, now) if status in (None, row.state.status)]
            start = page.get("LastEvaluatedKey")
            if start is None or len(rows) >= limit:
                break
        return Page(rows, _cursor(start, attribute))

    def _index_page(self, index: str, attribute: str, value: str, limit: int, start: Any) -> Any:
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": index,
            "KeyConditionExpression": f"{attribute} = :value",
            "ExpressionAttributeValues": {":value": {"S": value}},
            "ScanIndexForward": False,
            "Limit": limit,
        }
        with translated("list requests", table=self._table, index=index):
            return self._client.query(**query, **({"ExclusiveStartKey": start} if start else {}))

    def _rows(self, request_ids: list[str], now: datetime) -> list[RequestRow]:
        """The rows of requests in their order, without those that went or expired since the index was read."""
        found: dict[str, RequestRow] = {}
        keys = [{"request_id": {"S": request_id}} for request_id in request_ids]
        for start in range(0, len(keys), 100):
            for row in map(_row, self._get({self._table: {"Keys": keys[start : start + 100]}})):
                found[row.request_id] = row
        return [found[name] for name in request_ids if name in found and found[name].state.expires_at > now]

    def _get(self, wanted: Any) -> list[Any]:
        items: list[Any] = []
        for _ in range(_TRIES):
            with translated("read requests", table=self._table):
                page = self._client.batch_get_item(RequestItems=wanted)
            items += page["Responses"].get(self._table, [])
            wanted = page.get("UnprocessedKeys")
            if not wanted:
                return items
        raise Unavailable("keys stay unprocessed", table=self._table)


def _row(item: Any) -> RequestRow:
    row = Row(item, "request_id")
    return RequestRow(
        request_id=row.text("request_id"),
        tenant_id=row.text("tenant_id"),
        user_id=row.text("user_id"),
        version=row.number("version"),
        state=row.read("state", lambda: RequestState.of(row.text("state"))),
        connection_id=row.text_or_none("connection_id"),
    )


def cursor_after(row: RequestRow) -> str:
    """The cursor that leads on from a row of a list by user, tenant or connection."""
    place = {"request_id": {"S": row.request_id}, "submitted_at": {"S": to_text(row.state.submitted_at)}}
    return base64.urlsafe_b64encode(exact_json.encode(place).encode()).decode()


def _cursor(start: Any, attribute: str) -> str | None:
    """The place to go on from. The partition is left out: it comes from the caller's identity every time."""
    if start is None:
        return None
    place = {name: value for name, value in start.items() if name != attribute}
    return base64.urlsafe_b64encode(exact_json.encode(place).encode()).decode()


def _start(cursor: str | None, attribute: str, value: str) -> dict[str, Any] | None:
    if cursor is None:
        return None
    try:
        place = exact_json.decode(base64.urlsafe_b64decode(cursor.encode()))
        request_id, at = (str(place[name]["S"]) for name in ("request_id", "submitted_at"))
        require_id("request_id", request_id, LONGEST_REQUEST_ID)
        at = to_text(from_text(at))
    except (binascii.Error, ValueError, KeyError, TypeError, InvalidJson, InvalidValue) as exc:
        raise InvalidValue(f"cursor: {NO_CURSOR}", field="cursor") from exc
    return {attribute: {"S": value}, "request_id": {"S": request_id}, "submitted_at": {"S": at}}
