"""The connection store: the Connections table, one row for each open socket."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError
from msgspec import Struct

from adapters.aws import CONDITION_FAILED, code_of, translated
from adapters.items import Item, Row, to_item
from domain.connection import ACTIVITY_INTERVAL, CONNECTION_TTL, Connection
from domain.errors import Conflict, Unavailable
from domain.instant import epoch_seconds, passed_seconds, to_text
from domain.validity import checked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import ScanOutputTypeDef

# A socket exists only once $connect has returned: a post that races it is told Gone, though nothing is.
YOUNG: Final = timedelta(seconds=10)
PAGES: Final = 10  # of 1 MB, which is some 23,000 connections: 128 read units each

Map = Callable[[Callable[[str], bool], Iterable[str]], Iterator[bool]]


class Stale(Struct):
    """How many stale connections were removed, and how many are left because their sockets could not be closed.

    `there` counts the connections that were looked at and are still there; `behind` is the key that the next look
    starts behind, None at the end of the table.
    """

    deleted: int = 0
    left: int = 0
    there: int = 0
    behind: Item | None = None


class ConnectionStore:
    """The connections of every tenant."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def save(self, connection: Connection) -> None:
        """Add a new connection; Conflict when another one has its id. A repeat changes nothing."""
        with translated("save connection", table=self._table, connection_id=connection.connection_id):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=_to_row(connection),
                    ConditionExpression="attribute_not_exists(connection_id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as exc:
                if code_of(exc) != CONDITION_FAILED:
                    raise
                # A repeat must not undo the activity that was noted since.
                stored: Any = exc.response.get("Item", {})
                found = stored.get("connected_at", {}).get("S")
                if found != to_text(connection.connected_at):
                    raise Conflict(
                        operation="save connection",
                        table=self._table,
                        connection_id=connection.connection_id,
                        connected_at=to_text(connection.connected_at),
                        found=found,
                    ) from exc

    @checked
    def get(self, connection_id: str, now: datetime) -> Connection | None:
        """The connection, unless it is not there or its row has expired."""
        with translated("get connection", table=self._table, connection_id=connection_id):
            row = self._client.get_item(TableName=self._table, Key=_key(connection_id), ConsistentRead=True).get("Item")
        connection = _from_row(row) if row else None
        return connection if connection and connection.expires_at > now else None

    @checked
    def delete(self, connection_id: str) -> None:
        """Remove a connection; removing one that is not there changes nothing."""
        with translated("delete connection", table=self._table, connection_id=connection_id):
            self._client.delete_item(TableName=self._table, Key=_key(connection_id))

    @checked
    def delete_gone(self, connection_id: str, now: datetime) -> bool:
        """Remove a connection that a post found gone, unless it is so young that its socket may still be opening.

        Tells whether there is no connection now.
        """
        with translated("delete gone connection", table=self._table, connection_id=connection_id):
            try:
                self._client.delete_item(
                    TableName=self._table,
                    Key=_key(connection_id),
                    ConditionExpression="connected_at < :young",
                    ExpressionAttributeValues={":young": {"S": to_text(now - YOUNG)}},
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as exc:
                if code_of(exc) != CONDITION_FAILED:
                    raise
                return "Item" not in exc.response
        return True

    @checked
    def record_activity(self, connection: Connection, now: datetime) -> None:
        """Note that the client is alive, at most once a minute; never makes a row."""
        if now - connection.last_active_at < ACTIVITY_INTERVAL:
            return
        with translated("record activity", table=self._table, connection_id=connection.connection_id):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(connection.connection_id),
                    UpdateExpression="SET last_active_at = :now, expires_at = :expires",
                    ConditionExpression="attribute_exists(connection_id) AND last_active_at <= :minute_ago",
                    ExpressionAttributeValues={
                        ":now": {"S": to_text(now)},
                        ":minute_ago": {"S": to_text(now - ACTIVITY_INTERVAL)},
                        ":expires": {"N": str(epoch_seconds(now + CONNECTION_TTL))},
                    },
                )
            except ClientError as exc:
                if code_of(exc) != CONDITION_FAILED:
                    raise

    @checked
    def list_by_user(self, tenant_id: str, user_id: str, now: datetime) -> Iterator[Connection]:
        """The live connections of a user."""
        return self._query("UserIndex", "user_key", f"{tenant_id}#{user_id}", now)

    @checked
    def list_by_tenant(self, tenant_id: str, now: datetime) -> Iterator[Connection]:
        """The live connections of a tenant."""
        return self._query("TenantIndex", "tenant_id", tenant_id, now)

    @checked
    def delete_stale(
        self, now: datetime, close: Callable[[str], None], run: Map = map, behind: Item | None = None
    ) -> Stale:
        """Remove the connections of some pages that must have ended, or whose client was silent for a day.

        Each goes once `close` has closed its socket, for nothing would find the socket without the row: one that
        cannot be closed now (Unavailable) keeps its row. Whatever else a row holds, it goes. `run` may be a pool's.
        """
        stale = Stale(behind=behind)

        def end(connection_id: str) -> bool:
            try:
                close(connection_id)
            except Unavailable:
                return False
            self.delete(connection_id)
            return True

        for _ in range(PAGES):
            page = self._stale(now, stale.behind)
            ended = list(run(end, [row["connection_id"]["S"] for row in page["Items"]]))
            stale.deleted += sum(ended)
            stale.left += len(ended) - sum(ended)
            stale.there += page["ScannedCount"] - sum(ended)
            stale.behind = page.get("LastEvaluatedKey")
            if stale.behind is None:
                break
        return stale

    def _stale(self, now: datetime, behind: Item | None) -> "ScanOutputTypeDef":
        more: Any = {"ExclusiveStartKey": behind} if behind else {}
        with translated("find stale connections", table=self._table):
            return self._client.scan(
                TableName=self._table,
                FilterExpression="ends_at <= :now OR expires_at <= :epoch",
                ProjectionExpression="connection_id",
                ExpressionAttributeValues={":now": {"S": to_text(now)}, ":epoch": {"N": str(passed_seconds(now))}},
                **more,
            )

    def _query(self, index: str, attribute: str, value: str, now: datetime) -> Iterator[Connection]:
        with translated("list connections", table=self._table, index=index):
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression=f"{attribute} = :value",
                FilterExpression="expires_at > :now",
                ExpressionAttributeValues={":value": {"S": value}, ":now": {"N": str(passed_seconds(now))}},
            ):
                yield from map(_from_row, page["Items"])


def _key(connection_id: str) -> dict[str, Any]:
    return {"connection_id": {"S": connection_id}}


def _to_row(connection: Connection) -> dict[str, Any]:
    return to_item(
        {
            "connection_id": connection.connection_id,
            "tenant_id": connection.tenant_id,
            "user_id": connection.user_id,
            "user_key": f"{connection.tenant_id}#{connection.user_id}",
            "connected_at": to_text(connection.connected_at),
            "last_active_at": to_text(connection.last_active_at),
            "ends_at": to_text(connection.ends_at),
            "source_ip": connection.source_ip,
            "user_agent": connection.user_agent,
            "correlation_id": connection.correlation_id or None,
            "expires_at": epoch_seconds(connection.expires_at),
        }
    )


def _from_row(item: Any) -> Connection:
    row = Row(item, "connection_id")
    return row.read(
        "a connection",
        lambda: Connection(
            connection_id=row.text("connection_id"),
            tenant_id=row.text("tenant_id"),
            user_id=row.text("user_id"),
            connected_at=row.instant("connected_at"),
            last_active_at=row.instant("last_active_at"),
            ends_at=row.instant("ends_at"),
            expires_at=row.time_to_live("expires_at"),
            source_ip=row.text_or_none("source_ip") or "",
            user_agent=row.text_or_none("user_agent") or "",
            correlation_id=row.text_or_none("correlation_id") or "",
        ),
    )
