"""Carrying out what projections want of the view tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from adapters.aws import CONDITION_FAILED, TRANSACTION_CANCELLED, TRANSACTION_CONFLICT, code_of, translated
from adapters.items import to_item, to_value
from domain.errors import Conflict, Unavailable
from projections.intents import Add, Attribute, Once, Put, View

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRANSACTION_LIMIT: Final = 100
_GET_BATCH: Final = 100
_WRITE_BATCH: Final = 25
_TRIES: Final = 5


class Behind(Conflict):
    """A row's version was not what the writer had read; the context names the keys."""

    message = "The view has moved"


class Views:
    """The view tables."""

    def __init__(self, client: "DynamoDBClient", tables: Mapping[View, str]) -> None:
        self._client = client
        self._tables = tables

    def cursors(self, request_ids: Iterable[str]) -> dict[str, int]:
        """The version that the requests view has reached for each request; 0 where it has no row."""
        found = dict.fromkeys(request_ids, 0)
        keys = [{"request_id": {"S": request_id}} for request_id in found]
        for start in range(0, len(keys), _GET_BATCH):
            for row in self._get(keys[start : start + _GET_BATCH]):
                found[row["request_id"]["S"]] = int(row["version"]["N"])
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

    def update(self, put: Put) -> None:
        """Move one row on; Behind when its version is not the one expected."""
        with translated("update view", view=put.view, **put.key):
            try:
                self._client.update_item(**self._update(put))
            except ClientError as exc:
                if code_of(exc) != CONDITION_FAILED:
                    raise
                raise Behind(keys=[dict(put.key)]) from exc

    def commit(self, intents: Sequence[Put | Once | Add]) -> None:
        """Carry out all of the intents or none; Behind names the rows whose condition failed."""
        writes = [self._transact_item(intent) for intent in intents]
        for _ in range(_TRIES):
            with translated("commit views", rows=len(writes)):
                try:
                    self._client.transact_write_items(TransactItems=writes)
                except ClientError as exc:
                    reasons = _cancellation_codes(exc)
                    failed = [intents[n].key for n, code in enumerate(reasons) if code == "ConditionalCheckFailed"]
                    if failed:
                        raise Behind(keys=[dict(key) for key in failed]) from exc
                    if TRANSACTION_CONFLICT not in reasons:
                        raise
                else:
                    return
        raise Unavailable("transactions keep colliding", rows=len(writes))

    def _get(self, keys: Sequence[Mapping[str, Any]]) -> list[Any]:
        table = self._tables[View.REQUESTS]
        rows: list[Any] = []
        wanted: Any = {table: {"Keys": keys, "ProjectionExpression": "request_id, version", "ConsistentRead": True}}
        for _ in range(_TRIES):
            with translated("read cursors", table=table):
                page = self._client.batch_get_item(RequestItems=wanted)
            rows += page["Responses"].get(table, [])
            wanted = page.get("UnprocessedKeys")
            if not wanted:
                return rows
        raise Unavailable("keys stay unprocessed", table=table)

    def _write(self, batch: Mapping[str, Any]) -> None:
        for _ in range(_TRIES):
            with translated("overwrite views"):
                left = self._client.batch_write_item(RequestItems=batch).get("UnprocessedItems")
            if not left:
                return
            batch = left
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
                return {"Update": {**expression.arguments(), **self._where(intent.view, intent.key)}}

    def _update(self, put: Put) -> Any:
        expression = _Expression(put.attributes)
        arguments = expression.arguments()
        if put.after is not None:
            # The first row: there must be none. Any other: it must be exactly where the events follow on.
            if put.after == 0:
                arguments["ConditionExpression"] = "attribute_not_exists(#key)"
                arguments["ExpressionAttributeNames"]["#key"] = next(iter(put.key))
            else:
                arguments["ConditionExpression"] = "#version = :after"
                arguments["ExpressionAttributeNames"]["#version"] = "version"
                arguments["ExpressionAttributeValues"][":after"] = to_value(put.after)
        return {**arguments, **self._where(put.view, put.key)}

    def _where(self, view: View, key: Mapping[str, str]) -> dict[str, Any]:
        return {"TableName": self._tables[view], "Key": to_item(key)}


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


def _cancellation_codes(error: ClientError) -> list[str]:
    if code_of(error) != TRANSACTION_CANCELLED:
        return []
    reasons: Any = error.response.get("CancellationReasons", [])
    return [str(reason.get("Code")) for reason in reasons]
