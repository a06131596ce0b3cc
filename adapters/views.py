"""Carrying out what projections want of the view tables.

Counts of one row may come from many functions at once, and transactions on one row collide. So a row of counts has
SHARDS copies, which readers sum up: each function adds to the first until it collides there, then goes on with another
one. A quiet tenant has one copy, a busy one as many as it needs.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from adapters.aws import (
    CONDITION_FAILED,
    REASON_CONDITION_FAILED,
    TRANSACTION_CANCELLED,
    TRANSACTION_CONFLICT,
    code_of,
    translated,
)
from adapters.backoff import ASLEEP, Backoff
from adapters.items import Row, to_item, to_value
from domain.errors import Conflict, Unavailable, Undecodable
from domain.state import Status
from domain.validity import KINDS
from projections.cursor import Cursor
from projections.intents import Add, Attribute, Once, Put, View

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRANSACTION_LIMIT: Final = 100
SHARDS: Final = 4  # of a row of counts, each good for some 500 transactions a second; may only ever be raised
_GET_BATCH: Final = 100
_WRITE_BATCH: Final = 25
_STATEMENTS: Final = 25
_TRIES: Final = 6
_OF: Final = "~"
_OF_A_CURSOR: Final[Any] = {
    "ProjectionExpression": "request_id, version, counted, #status",
    "ExpressionAttributeNames": {"#status": "status"},
    "ConsistentRead": True,
}
# Two transactions on one row at once, or more than one row can take.
_COLLISIONS: Final = frozenset({TRANSACTION_CONFLICT, "ThrottlingError", "ProvisionedThroughputExceeded"})
# What a statement of a batch may fail with for the moment.
_PASSING: Final = _COLLISIONS | {"RequestLimitExceeded", "InternalServerError"}


class Behind(Conflict):
    """A row's version was not what the writer had read; the context names the keys."""

    message = "The view has moved"


class Unmoved(Unavailable):
    """Some of many rows could not be moved for now; the context names the keys of all that did not move."""

    message = "Rows of a view could not be moved"


class Views:
    """The view tables."""

    def __init__(self, client: "DynamoDBClient", tables: Mapping[View, str], backoff: Backoff = ASLEEP) -> None:
        self._client = client
        self._tables = tables
        self._backoff = backoff
        self._shard = 0

    def cursors(self, request_ids: Iterable[str]) -> dict[str, Cursor]:
        """How far the views of each request have come; version 0 where the requests view has no row."""
        found = dict.fromkeys(request_ids, Cursor())
        for request_id in found:
            KINDS["request_id"]("request_id", request_id)
        keys = [{"request_id": {"S": request_id}} for request_id in found]
        for start in range(0, len(keys), _GET_BATCH):
            for row in self._get(keys[start : start + _GET_BATCH]):
                read = Row(row, "request_id")
                counted = read.number("counted") if "counted" in row else 0
                status = _status(row)
                found[read.text("request_id")] = Cursor(read.number("version"), status, counted)
        return found

    def overwrite(self, puts: Sequence[Put]) -> None:
        """Write rows whole; doing it again changes nothing."""
        rows = [
            (self._tables[put.view], {"PutRequest": {"Item": to_item({**put.key, **put.attributes})}}) for put in puts
        ]
        for start in range(0, len(rows), _WRITE_BATCH):
            batch: dict[str, list[Any]] = {}
            for table, row in rows[start : start + _WRITE_BATCH]:
                batch.setdefault(table, []).append(row)
            self._write(batch)

    def update(self, puts: Sequence[Put]) -> None:
        """Move rows on, each by itself; Behind names those whose version is not the one expected.

        Several that are there already go in one call: it costs what they cost by themselves, and a sixth of the time.
        Unmoved names those that are not moved when some were refused for another reason.
        """
        many = [put for put in puts if put.after] if len(puts) > 1 else []
        for put in puts if not many else (put for put in puts if not put.after):
            self._update_one(put)
        told: list[tuple[Put, Any]] = []
        for start in range(0, len(many), _STATEMENTS):
            told += self._update_many(many[start : start + _STATEMENTS])
        failed = [(put, why.get("Item", {})) for put, why in told if why["Code"] == REASON_CONDITION_FAILED]
        if refused := sorted({why["Code"] for _, why in told} - {REASON_CONDITION_FAILED}):
            raise Unmoved(operation="update views", codes=refused, keys=[dict(put.key) for put, _ in told])
        if failed:
            raise _behind("update view", failed)

    def _update_one(self, put: Put) -> None:
        with translated("update view", view=put.view, **put.key):
            try:
                self._client.update_item(**self._update(put))
            except ClientError as exc:
                if code_of(exc) != CONDITION_FAILED:
                    raise
                raise _behind("update view", [(put, exc.response.get("Item", {}))]) from exc

    def _update_many(self, puts: Sequence[Put]) -> list[tuple[Put, Any]]:
        """Those that did not move, each with the error; what is only for the moment is tried again."""
        told: list[tuple[Put, Any]] = []
        passing: list[tuple[Put, Any]] = []
        left = puts
        for wait in self._backoff.waits(_TRIES):
            with translated("update views", rows=len(left)):
                answer = self._client.batch_execute_statement(Statements=[self._statement(put) for put in left])
            errors = [(put, one["Error"]) for put, one in zip(left, answer["Responses"], strict=True) if "Error" in one]
            passing = [(put, why) for put, why in errors if why["Code"] in _PASSING]
            told += [one for one in errors if one not in passing]
            if not passing:
                return told
            left = [put for put, _ in passing]
            wait()
        return [*told, *passing]

    def commit(self, intents: Sequence[Put | Once | Add]) -> None:
        """Carry out all of the intents or none; Behind names the rows whose condition failed."""
        for wait in self._backoff.waits(_TRIES):
            with translated("commit views", rows=len(intents)):
                try:
                    self._client.transact_write_items(TransactItems=[self._transact_item(one) for one in intents])
                except ClientError as exc:
                    reasons = _cancellation_reasons(exc)
                    codes = [str(reason.get("Code")) for reason in reasons]
                    failed = [
                        (intents[n], reasons[n].get("Item", {}))
                        for n, code in enumerate(codes)
                        if code == REASON_CONDITION_FAILED
                    ]
                    if failed:
                        raise _behind("commit views", failed) from exc
                    if _COLLISIONS.isdisjoint(codes):
                        raise
                else:
                    return
            self._shard = self._backoff.choose(SHARDS)
            wait()
        raise Unavailable("transactions keep colliding", rows=len(intents))

    def _get(self, keys: Sequence[Mapping[str, Any]]) -> list[Any]:
        table = self._tables[View.REQUESTS]
        rows: list[Any] = []
        wanted: Any = {table: {"Keys": keys, **_OF_A_CURSOR}}
        for wait in self._backoff.waits(_TRIES):
            with translated("read cursors", table=table):
                page = self._client.batch_get_item(RequestItems=wanted)
            rows += page["Responses"].get(table, [])
            wanted = page.get("UnprocessedKeys")
            if not wanted:
                return rows
            wait()
        raise Unavailable("keys stay unprocessed", table=table)

    def _write(self, batch: Mapping[str, Any]) -> None:
        for wait in self._backoff.waits(_TRIES):
            with translated("overwrite views"):
                left = self._client.batch_write_item(RequestItems=batch).get("UnprocessedItems")
            if not left:
                return
            batch = left
            wait()
        raise Unavailable("rows stay unprocessed", tables=sorted(batch))

    def _transact_item(self, intent: Put | Once | Add) -> Any:
        match intent:
            case Put():
                return {"Update": self._update(intent)}
            case Once():
                return {
                    "Put": {
                        "TableName": self._tables[intent.view],
                        "Item": to_item({**intent.key, **intent.attributes}),
                        "ConditionExpression": "attribute_not_exists(#key)",
                        "ExpressionAttributeNames": {"#key": next(iter(intent.key))},
                    }
                }
            case Add():
                expression = _Expression(intent.attributes)
                expression.add(intent.counts)
                return {
                    "Update": {**expression.arguments(), **self._where(intent.view, sharded(intent.key, self._shard))}
                }

    def _update(self, put: Put) -> Any:
        expression = _Expression(put.attributes)
        arguments = expression.arguments()
        if put.after is not None:
            arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            # The first row: there must be none. Any other: it must be exactly where the events follow on.
            if put.after == 0:
                arguments["ConditionExpression"] = "attribute_not_exists(#key)"
                arguments["ExpressionAttributeNames"]["#key"] = next(iter(put.key))
            else:
                arguments["ConditionExpression"] = "#version = :after"
                arguments["ExpressionAttributeNames"]["#version"] = "version"
                arguments["ExpressionAttributeValues"][":after"] = to_value(put.after, "version")
        return {**arguments, **self._where(put.view, put.key)}

    def _statement(self, put: Put) -> Any:
        """The update as PartiQL; names come from the projections and the template alone."""
        given = {name: value for name, value in put.attributes.items() if value is not None}
        sets = [f'SET "{name}"=?' for name in given]
        removes = [f'REMOVE "{name}"' for name in put.attributes if name not in given]
        where = " AND ".join(f'"{name}"=?' for name in (*put.key, "version"))
        return {
            "Statement": f'UPDATE "{self._tables[put.view]}" {" ".join(sets + removes)} WHERE {where}',
            "Parameters": [to_value(value) for value in (*given.values(), *put.key.values(), put.after)],
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _where(self, view: View, key: Mapping[str, str]) -> dict[str, Any]:
        return {"TableName": self._tables[view], "Key": to_item(key)}


def sharded(key: Mapping[str, str], shard: int) -> dict[str, str]:
    """The key of a copy of a row of counts; the first one has the row's own."""
    partition, *rest = key.items()
    return dict([(partition[0], f"{shard}{_OF}{partition[1]}" if shard else partition[1]), *rest])


def unsharded(partition: str) -> str:
    """The partition of the row that a copy belongs to; no tenant's name starts with a shard."""
    shard, of, row = partition.partition(_OF)
    return row if of and shard.isdecimal() else partition


class _Expression:
    """An update expression that sets, removes and adds, with every name behind a placeholder."""

    def __init__(self, attributes: Mapping[str, Attribute]) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._set = [f"{self._name(n)} = {self._value(v)}" for n, v in attributes.items() if v is not None]
        self._remove = [self._name(name) for name, value in attributes.items() if value is None]
        self._add: list[str] = []

    def add(self, counts: Mapping[str, int]) -> None:
        self._add = [f"{self._name(name)} {self._value(count)}" for name, count in counts.items()]

    def arguments(self) -> dict[str, Any]:
        clauses = (("SET", self._set), ("REMOVE", self._remove), ("ADD", self._add))
        return {
            "UpdateExpression": " ".join(f"{word} {', '.join(parts)}" for word, parts in clauses if parts),
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": self._values,
        }

    def _name(self, name: str) -> str:
        placeholder = f"#n{len(self._names)}"
        self._names[placeholder] = name
        return placeholder

    def _value(self, value: str | int) -> str:
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = to_value(value)
        return placeholder


def _status(row: Mapping[str, Any]) -> Status | None:
    try:
        return Status(row["status"]["S"]) if "status" in row else None
    except (KeyError, ValueError) as exc:
        raise Undecodable("no such status", field="status", request_id=row["request_id"]["S"]) from exc


def _behind(operation: str, failed: Sequence[tuple[Put | Once | Add, Any]]) -> Behind:
    """The error for intents whose condition failed, each with the row that was found."""
    return Behind(
        operation=operation,
        views=sorted({intent.view.value for intent, _ in failed}),
        keys=[dict(intent.key) for intent, _ in failed],
        expected=[intent.after if isinstance(intent, Put) else None for intent, _ in failed],
        actual=[int(found["version"]["N"]) if "version" in found else None for _, found in failed],
    )


def _cancellation_reasons(error: ClientError) -> list[Any]:
    """Why a transaction was cancelled, write by write."""
    return list(error.response.get("CancellationReasons", [])) if code_of(error) == TRANSACTION_CANCELLED else []
