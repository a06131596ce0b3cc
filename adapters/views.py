"""Carrying out what projections want of the view tables."""

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
from adapters.items import Row
from adapters.view_writes import SHARDS, ViewWrites
from domain.errors import Conflict, Unavailable, Undecodable
from domain.state import Status
from domain.validity import KINDS
from projections.cursor import Cursor
from projections.intents import Add, Once, Put, View

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TRANSACTION_LIMIT: Final = 100
_GET_BATCH: Final = 100
_WRITE_BATCH: Final = 25
_STATEMENTS: Final = 25
_TRIES: Final = 6
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
        self._table = tables[View.REQUESTS]
        self._writes = ViewWrites(tables)
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
        rows = [self._writes.whole(put) for put in puts]
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
                self._client.update_item(**self._writes.update(put))
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
                answer = self._client.batch_execute_statement(Statements=[self._writes.statement(put) for put in left])
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
                    writes = [self._writes.of_transaction(one, self._shard) for one in intents]
                    self._client.transact_write_items(TransactItems=writes)
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
        rows: list[Any] = []
        wanted: Any = {self._table: {"Keys": keys, **_OF_A_CURSOR}}
        for wait in self._backoff.waits(_TRIES):
            with translated("read cursors", table=self._table):
                page = self._client.batch_get_item(RequestItems=wanted)
            rows += page["Responses"].get(self._table, [])
            wanted = page.get("UnprocessedKeys")
            if not wanted:
                return rows
            wait()
        raise Unavailable("keys stay unprocessed", table=self._table)

    def _write(self, batch: Mapping[str, Any]) -> None:
        for wait in self._backoff.waits(_TRIES):
            with translated("overwrite views"):
                left = self._client.batch_write_item(RequestItems=batch).get("UnprocessedItems")
            if not left:
                return
            batch = left
            wait()
        raise Unavailable("rows stay unprocessed", tables=sorted(batch))


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
