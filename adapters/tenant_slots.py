"""The slots of each tenant: which of its requests run, in a set that has no more members than the tenant may have.

A request takes its slot in the transaction that appends the start of an attempt, and gives it back in the one that
appends its end, so that no crash between two calls can lose a slot or give one too many. Taking and giving back are
harmless when repeated: a set knows what it has.
"""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from msgspec import Struct

from adapters.aws import TRANSACTION_CANCELLED, code_of, translated
from domain.recorded import Head, RecordedEvent
from domain.state import Status

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class TenantSlots(Struct, frozen=True):
    """The door to the slots in the Limits table; `limit` is how many requests of one tenant may run at a time."""

    client: "DynamoDBClient"
    table: str
    events_table: str
    limit: int

    def change(self, before: Status | None, event: RecordedEvent) -> Any:
        """What a transaction must write beside an event that starts or ends an attempt; None for any other event."""
        runs = event.snapshot().status is Status.PROCESSING
        if runs == (before is Status.PROCESSING):
            return None
        return {"Update": self._taken(event) if runs else self._given_back(event.tenant_id, event.request_id)}

    def taken(self, tenant_id: str) -> frozenset[str]:
        """The requests that have a slot, read consistently."""
        with translated("read slots", table=self.table, tenant_id=tenant_id):
            row = self.client.get_item(TableName=self.table, Key=_key(tenant_id), ConsistentRead=True).get("Item", {})
        return frozenset(row.get("running", {}).get("SS", []))

    def are_taken(self, tenant_id: str) -> bool:
        """Whether none of the tenant's requests may start before one of those that run has ended."""
        return len(self.taken(tenant_id)) >= self.limit

    def give_back(self, tenant_id: str, head: Head) -> bool:
        """Free the slot of a request that does not run; tells whether: one that was started meanwhile keeps it."""
        unchanged: Any = {
            "TableName": self.events_table,
            "Key": {"request_id": {"S": head.request_id}, "version": {"N": str(head.version + 1)}},
            "ConditionExpression": "attribute_not_exists(request_id)",
        }
        freed: Any = {"Update": self._given_back(tenant_id, head.request_id)}
        with translated("free slot", table=self.table, tenant_id=tenant_id, request_id=head.request_id):
            try:
                self.client.transact_write_items(TransactItems=[{"ConditionCheck": unchanged}, freed])
            except ClientError as exc:
                if code_of(exc) != TRANSACTION_CANCELLED:
                    raise
                return False  # the next turn looks again
        return True

    def _taken(self, event: RecordedEvent) -> Any:
        return {
            "TableName": self.table,
            "Key": _key(event.tenant_id),
            "UpdateExpression": "ADD running :request",
            "ConditionExpression": "attribute_not_exists(running) OR size(running) < :limit",
            "ExpressionAttributeValues": {":request": {"SS": [event.request_id]}, ":limit": {"N": str(self.limit)}},
        }

    def _given_back(self, tenant_id: str, request_id: str) -> Any:
        return {
            "TableName": self.table,
            "Key": _key(tenant_id),
            "UpdateExpression": "DELETE running :request",
            "ExpressionAttributeValues": {":request": {"SS": [request_id]}},
        }


def _key(tenant_id: str) -> Any:
    return {"name": {"S": f"slots#{tenant_id}"}}
