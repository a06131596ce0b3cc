"""The ticket store: one-use tickets by which a browser, which cannot send headers, opens a socket.

Only a ticket's hash is stored, so the table gives nobody a way in.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from adapters.aws import CONDITION_FAILED, code_of, translated
from adapters.items import Row, to_item
from domain.errors import Unauthorized, Undecodable
from domain.identity import Identity
from domain.instant import epoch_seconds, passed_seconds, to_text
from domain.validity import checked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TICKET_LIFE: Final = timedelta(seconds=30)


class TicketStore:
    """The tickets that were issued, each until half a minute has passed; DynamoDB removes them later."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    @checked
    def issue(self, identity: Identity, now: datetime) -> str:
        """A new ticket for the identity."""
        ticket = secrets.token_urlsafe(32)
        row: Mapping[str, str | int] = {
            "ticket_hash": _hash(ticket),
            "tenant_id": identity.tenant_id,
            "user_id": identity.user_id,
            "scopes": " ".join(sorted(identity.scopes)),
            "token_ends_at": to_text(identity.expires_at),
            "expires_at": epoch_seconds(now + TICKET_LIFE),
        }
        with translated("issue ticket", table=self._table):
            self._client.put_item(TableName=self._table, Item=to_item(row))
        return ticket

    @checked
    def redeem(self, ticket: str, now: datetime) -> Identity:
        """The identity a ticket stands for, once; Unauthorized when it was used, is unknown or too old."""
        # Marked and not removed: the same call comes twice when its answer is lost on the way to the SDK.
        by = {"S": secrets.token_urlsafe(16)}
        with translated("redeem ticket", table=self._table):
            try:
                row = self._client.update_item(
                    TableName=self._table,
                    Key={"ticket_hash": {"S": _hash(ticket)}},
                    UpdateExpression="SET redeemed_by = :by",
                    ConditionExpression="expires_at > :now "
                    "AND (attribute_not_exists(redeemed_by) OR redeemed_by = :by)",
                    ExpressionAttributeValues={":now": {"N": str(passed_seconds(now))}, ":by": by},
                    ReturnValues="ALL_NEW",
                )["Attributes"]
            except ClientError as exc:
                if code_of(exc) != CONDITION_FAILED:
                    raise
                raise Unauthorized("the ticket is not valid") from exc
        return _identity(Row(row, "ticket_hash"))


def _identity(row: Row) -> Identity:
    try:
        return Identity(
            tenant_id=row.text("tenant_id"),
            user_id=row.text("user_id"),
            scopes=frozenset(row.text("scopes").split()),
            expires_at=row.instant("token_ends_at"),
        )
    except Unauthorized as exc:
        raise Undecodable(exc.reason, field="tenant_id, user_id or scopes") from exc


def _hash(ticket: str) -> str:
    return sha256(ticket.encode(errors="surrogatepass")).hexdigest()
