"""The event store: the Events table, the log that everything else follows from.

An append is one conditional put, in a transaction if something must be written with it. When its answer is lost and
the SDK sends it again, the second try fails on what the first one wrote; DynamoDB hands back that row, and its event
id tells our own write from another writer's.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, get_type_hints

from botocore.exceptions import ClientError
from msgspec import ValidationError, convert
from msgspec.structs import asdict

from adapters.aws import (
    CONDITION_FAILED,
    REASON_CONDITION_FAILED,
    TRANSACTION_CANCELLED,
    TRANSACTION_CONFLICT,
    code_of,
    translated,
)
from adapters.backoff import Backoff
from adapters.items import to_item
from domain.errors import Conflict, NotFound, PayloadTooLarge, TenantFull, Unavailable, Undecodable
from domain.events import SCHEMA
from domain.instant import epoch_seconds, from_text, to_text
from domain.recorded import NO_HASH, Head, RecordedEvent
from domain.validity import KINDS, MAX_VERSION, checked, require_whole

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

LARGEST_EVENT: Final = 384 * 1024  # bytes: a row of DynamoDB has at most 400 KB, names and envelope among them
_TRIES: Final = 8
_BACKOFF: Final = Backoff()


class EventStore:
    """The log of every request."""

    def __init__(self, client: "DynamoDBClient", table: str, backoff: Backoff = _BACKOFF) -> None:
        self._client = client
        self._table = table
        self._backoff = backoff

    def append(self, event: RecordedEvent, slot: Any = None) -> None:
        """Add the event at its version, and what the change of the tenant's slots is, both or neither.

        Conflict when another writer's event is there; TenantFull when it starts an attempt and no slot is free.
        """
        require_event(event)
        put: Any = {
            "TableName": self._table,
            "Item": to_row(event),
            "ConditionExpression": "attribute_not_exists(request_id)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        with translated("append", table=self._table, request_id=event.request_id, version=event.version):
            try:
                if slot is None:
                    self._client.put_item(**put)
                else:
                    self._transact([{"Put": put}, slot])
            except ClientError as exc:
                stored = _in_the_way(exc)
                if stored is None:
                    raise
                found = stored.get("event_id", {}).get("S")
                if found != event.event_id:
                    raise conflict(event, found, self._table) from exc

    @checked
    def newest(self, request_id: str) -> RecordedEvent | None:
        """The newest event of a request, read consistently; None when it has none."""
        with translated("head", table=self._table, request_id=request_id):
            page = self._client.query(
                TableName=self._table,
                KeyConditionExpression="request_id = :id",
                ExpressionAttributeValues={":id": {"S": request_id}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=1,
            )
        return from_row(page["Items"][0]) if page["Items"] else None

    @checked
    def head(self, request_id: str) -> Head:
        """Where the log of a request ends, read consistently; version 0 when there is none."""
        newest = self.newest(request_id)
        return Head.of(newest) if newest else Head(request_id)

    @checked
    def get(self, request_id: str, version: int) -> RecordedEvent:
        """The event at a version; NotFound when there is none."""
        with translated("get", table=self._table, request_id=request_id, version=version):
            row = self._client.get_item(
                TableName=self._table,
                Key={"request_id": {"S": request_id}, "version": {"N": str(version)}},
                ConsistentRead=True,
            ).get("Item")
        if row is None:
            raise NotFound(request_id=request_id, version=version)
        return from_row(row)

    @checked
    def at(self, request_id: str, instant: datetime) -> RecordedEvent:
        """The newest event at an instant; NotFound before the first. Reads the events that came later as well."""
        with translated("at", table=self._table, request_id=request_id):
            for page in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="request_id = :id",
                FilterExpression="#at <= :instant",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues={":id": {"S": request_id}, ":instant": {"S": to_text(instant)}},
                ScanIndexForward=False,
                ConsistentRead=True,
            ):
                for row in page["Items"]:
                    return from_row(row)
        raise NotFound(request_id=request_id, at=to_text(instant))

    @checked
    def read(self, request_id: str, after: int = 0, limit: int | None = None) -> Iterator[RecordedEvent]:
        """The events after a version in order, read consistently, page by page, at most limit of them."""
        require_whole("after", after, 0, MAX_VERSION)
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "request_id = :id AND version > :after",
            "ExpressionAttributeValues": {":id": {"S": request_id}, ":after": {"N": str(after)}},
            "ConsistentRead": True,
        }
        if limit is not None:
            query["Limit"] = limit
        left = limit
        while left is None or left > 0:
            with translated("read", table=self._table, request_id=request_id):
                page = self._client.query(**query)
            for row in page["Items"][:left]:
                yield from_row(row)
            left = None if left is None else left - len(page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _transact(self, writes: Any) -> None:
        """Carry out the writes; those of other requests of the tenant may be in the way for a moment."""
        for wait in self._backoff.waits(_TRIES):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except ClientError as exc:
                codes = [reason.get("Code") for reason in _reasons(exc)]
                if codes[1:] == [REASON_CONDITION_FAILED] and codes[0] != REASON_CONDITION_FAILED:
                    raise TenantFull(table=self._table) from exc
                if TRANSACTION_CONFLICT not in codes:
                    raise
            else:
                return
            wait()
        raise Unavailable("transactions keep colliding", table=self._table)


def _in_the_way(error: ClientError) -> Any:
    """The row that an append found at its version; None when it failed for another reason."""
    if code_of(error) == CONDITION_FAILED:
        return error.response.get("Item", {})
    first, *_ = _reasons(error) or [{}]
    return first.get("Item", {}) if first.get("Code") == REASON_CONDITION_FAILED else None


def _reasons(error: ClientError) -> list[Any]:
    """Why a transaction was cancelled, write by write."""
    return list(error.response.get("CancellationReasons", [])) if code_of(error) == TRANSACTION_CANCELLED else []


def require_event(event: RecordedEvent) -> None:
    """InvalidValue or PayloadTooLarge for an event that no row can hold."""
    KINDS["request_id"]("request_id", event.request_id)
    KINDS["version"]("version", event.version)
    if len(event.data.encode()) + len(event.state.encode()) > LARGEST_EVENT:
        raise PayloadTooLarge(f"data: with the state at most {LARGEST_EVENT} bytes", field="data")


def conflict(event: RecordedEvent, found: str | None, table: str) -> Conflict:
    """What a writer is told whose event is not the one at its version: there is an event where the log should end."""
    return Conflict(
        operation="append",
        table=table,
        request_id=event.request_id,
        expected_version=event.version - 1,
        actual_version=event.version,
        found=found,
    )


def to_row(event: RecordedEvent) -> dict[str, dict[str, Any]]:
    """The event as a row; the first has no hash of the one before."""
    fields: dict[str, Any] = asdict(event)
    fields |= {name: fields[name] or None for name in _HASHES}
    return to_item({**fields, "expires_at": epoch_seconds(event.snapshot().expires_at)})


def from_row(row: Mapping[str, Any]) -> RecordedEvent:
    """The event that a row holds, or a stream record's image of it, where bytes are written as base64.

    Undecodable when a field is missing or of another kind.
    """
    # Every record passes here, so the kinds of all fields are checked by one conversion, which reads base64 as well.
    try:
        name, place, id_, kind, schema, at, tenant, user, correlation, causation, data, state = _ALL_BUT_HASHES(row)
        fields = (
            *(name["S"], place["N"], id_["S"], kind["S"], schema["N"], at["S"], tenant["S"], user["S"]),
            *(correlation["S"], causation["S"], data["S"], state["S"]),
            row["prev_hash"]["B"] if "prev_hash" in row else NO_HASH,
            row["hash"]["B"] if "hash" in row else NO_HASH,
        )
        event = convert(fields, RecordedEvent, strict=False)  # not strict: numbers are text in a row
        from_text(event.at)
    except (KeyError, TypeError, AttributeError, ValueError, ValidationError) as exc:
        raise Undecodable(**_fault(row), request_id=row.get("request_id", {}).get("S")) from exc
    if not 1 <= event.schema <= SCHEMA:
        raise Undecodable("unknown schema", field="schema", schema=event.schema, request_id=event.request_id)
    return event


def _fault(row: Mapping[str, Any]) -> dict[str, str]:
    """Which field of a row is at fault, and why."""
    for name, kind in _KINDS.items():
        if name not in row and name not in _HASHES:
            return {"reason": f"no {name}", "field": name}
        if name in row and not _is(kind, row[name]):
            return {"reason": f"{name} is of another kind", "field": name}
    return {"reason": "at is no instant", "field": "at"}


def _is(kind: str, value: Any) -> bool:
    if not isinstance(value, Mapping) or kind not in value:
        return False
    return kind == "B" or (isinstance(value[kind], str) and (kind == "S" or value[kind].isdecimal()))


_HASHES: Final = ("prev_hash", "hash")
_KINDS: Final = {
    name: "B" if name in _HASHES else "N" if kind is int else "S"
    for name, kind in get_type_hints(RecordedEvent).items()
}
_ALL_BUT_HASHES: Final = itemgetter(*(name for name in _KINDS if name not in _HASHES))
