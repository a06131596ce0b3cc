"""The subscription store: the Subscriptions table, who watches what."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from adapters.aws import translated
from adapters.items import from_item, to_item
from domain.errors import InvalidValue, Undecodable
from domain.instant import epoch_seconds, from_epoch, from_text, to_text
from domain.subscription import Subscription

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class SubscriptionStore:
    """The subscriptions of every connection."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription; adding it again only prolongs it."""
        with translated("subscribe", table=self._table, topic=subscription.topic):
            self._client.update_item(
                TableName=self._table,
                Key=_key(subscription.topic, subscription.connection_id),
                UpdateExpression="SET created_at = if_not_exists(created_at, :created), tenant_id = :tenant, "
                "user_id = :user, expires_at = :expires"
                + (", request_id = :request" if subscription.request_id else ""),
                ExpressionAttributeValues=to_item(
                    {
                        ":created": to_text(subscription.created_at),
                        ":tenant": subscription.tenant_id,
                        ":user": subscription.user_id,
                        ":expires": epoch_seconds(subscription.expires_at),
                        ":request": subscription.request_id,
                    }
                ),
            )

    def unsubscribe(self, topic: str, connection_id: str) -> None:
        """Remove a subscription; removing one that is not there changes nothing."""
        with translated("unsubscribe", table=self._table, topic=topic):
            self._client.delete_item(TableName=self._table, Key=_key(topic, connection_id))

    def watchers(self, topic: str, now: datetime) -> Iterator[str]:
        """The connections that watch a topic, read consistently: one that subscribed before now is among them."""
        with translated("find watchers", table=self._table, topic=topic):
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="topic = :topic",
                FilterExpression="expires_at > :now",
                ProjectionExpression="connection_id",
                ExpressionAttributeValues={":topic": {"S": topic}, ":now": {"N": str(epoch_seconds(now))}},
                ConsistentRead=True,
            ):
                yield from (row["connection_id"]["S"] for row in page["Items"])

    def list_by_connection(self, connection_id: str) -> Iterator[Subscription]:
        """The subscriptions of a connection."""
        return self._query("ConnectionIndex", "connection_id", connection_id)

    def list_by_request(self, request_id: str) -> Iterator[Subscription]:
        """The subscriptions to one request."""
        return self._query("RequestIndex", "request_id", request_id)

    def delete_by_connection(self, connection_id: str) -> int:
        """Remove every subscription of a connection, and tell how many there were."""
        removed = 0
        for subscription in self.list_by_connection(connection_id):
            self.unsubscribe(subscription.topic, connection_id)
            removed += 1
        return removed

    def _query(self, index: str, attribute: str, value: str) -> Iterator[Subscription]:
        with translated("list subscriptions", table=self._table, index=index):
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression=f"{attribute} = :value",
                ExpressionAttributeValues={":value": {"S": value}},
            ):
                yield from map(_from_row, page["Items"])


def _key(topic: str, connection_id: str) -> dict[str, Any]:
    return {"topic": {"S": topic}, "connection_id": {"S": connection_id}}


def _from_row(row: Any) -> Subscription:
    values = from_item(row)
    try:
        return Subscription(
            topic=values["topic"],
            connection_id=values["connection_id"],
            tenant_id=values["tenant_id"],
            user_id=values["user_id"],
            created_at=from_text(values["created_at"]),
            expires_at=from_epoch(values["expires_at"]),
            request_id=values.get("request_id"),
        )
    except (KeyError, TypeError, ValueError, InvalidValue) as exc:
        raise Undecodable("no subscription", topic=values.get("topic")) from exc
