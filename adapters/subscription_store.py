"""The subscription store: the Subscriptions table, who watches what."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from adapters.aws import CONDITION_FAILED, code_of, translated
from adapters.items import Row, Value, to_item
from domain.errors import Unavailable
from domain.instant import epoch_seconds, passed_seconds, to_text
from domain.subscription import Missed, Subscription
from domain.validity import checked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_WRITE_BATCH: Final = 25
_TRIES: Final = 5
_MISSED: Final = ("missed_request", "missed_from", "missed_version", "missed_at", "missed_why")


class SubscriptionStore:
    """The subscriptions of every connection."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription; adding it again prolongs it: what it tells of its beginning stays.

        What was not taken before is in the answer to this one, so it is noted no longer.
        """
        begun: dict[str, Value] = {
            "created_at": to_text(subscription.created_at),
            "source_ip": subscription.source_ip or None,
            "correlation_id": subscription.correlation_id or None,
            "causation_id": subscription.causation_id or None,
        }
        asked: dict[str, Value] = {
            "tenant_id": subscription.tenant_id,
            "user_id": subscription.user_id,
            "expires_at": epoch_seconds(subscription.expires_at),
            "request_id": subscription.request_id,
            "asked_at": to_text(subscription.asked_at) if subscription.asked_at else None,
            "seen": subscription.seen,
            "told": subscription.told,
        }
        sets = [f"{name} = if_not_exists({name}, :{name})" for name, value in begun.items() if value is not None]
        sets += [f"{name} = :{name}" for name, value in asked.items() if value is not None]
        gone = [*_MISSED, *(name for name, value in asked.items() if value is None)]
        with translated(
            "subscribe", table=self._table, topic=subscription.topic, connection_id=subscription.connection_id
        ):
            self._client.update_item(
                TableName=self._table,
                Key=_key(subscription.topic, subscription.connection_id),
                UpdateExpression=f"SET {', '.join(sets)} REMOVE {', '.join(gone)}",
                ExpressionAttributeValues=to_item({f":{name}": value for name, value in (begun | asked).items()}),
            )

    @checked
    def unsubscribe(self, topic: str, connection_id: str) -> None:
        """Remove a subscription; removing one that is not there changes nothing."""
        with translated("unsubscribe", table=self._table, topic=topic, connection_id=connection_id):
            self._client.delete_item(TableName=self._table, Key=_key(topic, connection_id))

    @checked
    def watchers(self, topic: str, now: datetime) -> dict[str, bool]:
        """The connections that watch a topic, and of each whether a push that was not taken is noted.

        Read consistently: one that subscribed before now is among them.
        """
        rows = self._of_topic(topic, now, ProjectionExpression="connection_id, missed_at")
        return {row["connection_id"]["S"]: "missed_at" in row for row in rows}

    @checked
    def list_by_topic(self, topic: str, now: datetime) -> Iterator[Subscription]:
        """The subscriptions to a topic, read consistently."""
        return map(_from_row, self._of_topic(topic, now))

    @checked
    def note_missed(self, topic: str, connection_id: str, missed: Missed) -> None:
        """Note the first push that was not taken, unless the connection has asked again since; never makes a row."""
        row = _missed_row(missed)
        with translated("note a miss", table=self._table, topic=topic, connection_id=connection_id):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(topic, connection_id),
                    UpdateExpression=f"SET {', '.join(f'{name} = :{name}' for name in _MISSED)}",
                    # Only a row has asked_at. Who asked after the push was due has it in the answer.
                    ConditionExpression="attribute_not_exists(missed_at) AND asked_at <= :missed_at "
                    "AND (attribute_not_exists(told) OR told < :missed_version)",
                    ExpressionAttributeValues=to_item({f":{name}": value for name, value in row.items()}),
                )
            except ClientError as exc:
                if code_of(exc) != CONDITION_FAILED:
                    raise

    @checked
    def list_by_connection(self, connection_id: str, now: datetime) -> Iterator[Subscription]:
        """The subscriptions of a connection."""
        return self._query("ConnectionIndex", "connection_id", connection_id, now)

    @checked
    def list_by_request(self, request_id: str, now: datetime) -> Iterator[Subscription]:
        """The subscriptions to one request."""
        return self._query("RequestIndex", "request_id", request_id, now)

    @checked
    def delete_by_connection(self, connection_id: str, limit: int | None = None) -> int:
        """Remove the subscriptions of a connection, expired ones too, at most limit, and tell how many that were."""
        found = islice(self._found("ConnectionIndex", "connection_id", connection_id), limit)
        removed = 0
        while some := [_key(row["topic"]["S"], connection_id) for row in islice(found, _WRITE_BATCH)]:
            self._delete(some)
            removed += len(some)
        return removed

    def _delete(self, keys: Sequence[Any]) -> None:
        left: Any = {self._table: [{"DeleteRequest": {"Key": key}} for key in keys]}
        for _ in range(_TRIES):
            with translated("remove subscriptions", table=self._table):
                left = self._client.batch_write_item(RequestItems=left).get("UnprocessedItems")
            if not left:
                return
        raise Unavailable("rows stay unprocessed", table=self._table)

    def _query(self, index: str, attribute: str, value: str, now: datetime) -> Iterator[Subscription]:
        return map(_from_row, self._found(index, attribute, value, live_at=now))

    def _of_topic(self, topic: str, now: datetime, **only: Any) -> Iterator[Any]:
        with translated("find watchers", table=self._table, topic=topic):
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="topic = :topic",
                FilterExpression="expires_at > :now",
                ExpressionAttributeValues={":topic": {"S": topic}, ":now": {"N": str(passed_seconds(now))}},
                ConsistentRead=True,
                **only,
            ):
                yield from page["Items"]

    def _found(self, index: str, attribute: str, value: str, live_at: datetime | None = None) -> Iterator[Any]:
        """The rows of an index; those that are live at an instant, if there is one."""
        values: dict[str, Any] = {":value": {"S": value}}
        only: dict[str, Any] = {}
        if live_at is not None:
            values[":now"] = {"N": str(passed_seconds(live_at))}
            only["FilterExpression"] = "expires_at > :now"
        with translated("list subscriptions", table=self._table, index=index, **{attribute: value}):
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression=f"{attribute} = :value",
                ExpressionAttributeValues=values,
                **only,
            ):
                yield from page["Items"]


def _key(topic: str, connection_id: str) -> dict[str, Any]:
    return {"topic": {"S": topic}, "connection_id": {"S": connection_id}}


def _from_row(item: Any) -> Subscription:
    row = Row(item, "topic")
    return row.read(
        "a subscription",
        lambda: Subscription(
            topic=row.text("topic"),
            connection_id=row.text("connection_id"),
            tenant_id=row.text("tenant_id"),
            user_id=row.text("user_id"),
            created_at=row.instant("created_at"),
            expires_at=row.time_to_live("expires_at"),
            request_id=row.text_or_none("request_id"),
            source_ip=row.text_or_none("source_ip") or "",
            correlation_id=row.text_or_none("correlation_id") or "",
            causation_id=row.text_or_none("causation_id") or "",
            asked_at=row.instant("asked_at") if "asked_at" in item else None,
            seen=row.number("seen") if "seen" in item else None,
            told=row.number("told") if "told" in item else None,
            missed=_missed(row) if "missed_at" in item else None,
        ),
    )


def _missed_row(missed: Missed) -> dict[str, Value]:
    values = (missed.request_id, missed.from_version, missed.version, to_text(missed.at), missed.why)
    return dict(zip(_MISSED, values, strict=True))


def _missed(row: Row) -> Missed:
    request_id, from_version, version, at, why = _MISSED
    return Missed(row.text(request_id), row.number(from_version), row.number(version), row.instant(at), row.text(why))
