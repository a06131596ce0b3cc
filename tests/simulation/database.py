"""An in-memory DynamoDB, below the client: tables, indexes, conditions, transactions, streams and expiry.

Tables are those of template.yaml. Each operation happens at once, as DynamoDB's do; what lies before, after and between
operations (delays, faults, retries) is the client's, in `dynamodb.py`. Errors carry the codes that botocore raises.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from local.partiql import update_item
from tests.simulation import calls
from tests.simulation.calls import CONDITIONAL, READING, error, refused
from tests.simulation.expressions import Item, Refused, Scope, condition, in_range, keys, plain, update
from tests.simulation.pages import page
from tests.simulation.tables import DEFINED, Key, Table, require_size, table_of

LARGEST_TRANSACTION: Final = 100
LARGEST_WRITE_BATCH: Final = 25
LARGEST_GET_BATCH: Final = 100
_KEYS: Final = frozenset({"request_id"})  # of the only table whose rows are updated by statements

Change = Callable[[Table, Key, Item | None, Item | None, bool], None]


class Database:
    """The tables of the stack. `now` gives seconds; `changed` hears of every change of a row that is one."""

    def __init__(self, now: Callable[[], float], changed: Change = lambda *_: None, prefix: str = "streamer") -> None:
        self._now = now
        self._changed = changed
        made = [table_of(f"{prefix}-{name.removesuffix('Table')}", table) for name, table in DEFINED.items()]
        self.tables: Mapping[str, Table] = {table.name: table for table in made}

    def table(self, name: str, operation: str) -> Table:
        """A table by its name."""
        if name not in self.tables:
            raise error("ResourceNotFoundException", operation, name)
        return self.tables[name]

    # --- one row ---------------------------------------------------------------------------------------------------

    def get_item(self, TableName: str, Key: Item, lag: float = 0.0, **more: Any) -> dict[str, Any]:  # noqa: N803
        """GetItem."""
        calls.only(more, "GetItem", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames")
        table = self.table(TableName, "GetItem")
        item = table.as_of(self._since(lag))(table.key_of(Key, "GetItem", alone=True))
        return {} if item is None else {"Item": calls.projected(item, more)}

    def put_item(self, TableName: str, Item: Item, **more: Any) -> dict[str, Any]:  # noqa: N803
        """PutItem."""
        calls.only(more, "PutItem", *CONDITIONAL)
        table = self.table(TableName, "PutItem")
        return self._write(table, table.key_of(Item, "PutItem"), "PutItem", more, lambda _, __: Item)

    def update_item(self, TableName: str, Key: Item, UpdateExpression: str, **more: Any) -> dict[str, Any]:  # noqa: N803
        """UpdateItem."""
        calls.only(more, "UpdateItem", *CONDITIONAL)
        table = self.table(TableName, "UpdateItem")
        key, change = table.key_of(Key, "UpdateItem", alone=True), _updating(table, Key, UpdateExpression)
        return self._write(
            table, key, "UpdateItem", more, change, calls.read("UpdateItem", update, UpdateExpression).paths()
        )

    def delete_item(self, TableName: str, Key: Item, **more: Any) -> dict[str, Any]:  # noqa: N803
        """DeleteItem."""
        calls.only(more, "DeleteItem", *CONDITIONAL)
        table = self.table(TableName, "DeleteItem")
        key = table.key_of(Key, "DeleteItem", alone=True)
        return self._write(table, key, "DeleteItem", more, lambda _, __: None)

    # --- many rows -------------------------------------------------------------------------------------------------

    def batch_get_item(
        self,
        RequestItems: Mapping[str, Any],  # noqa: N803
        lag: float = 0.0,
        drop: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """BatchGetItem; `drop` chooses the keys that stay unprocessed."""
        found: dict[str, list[Item]] = {}
        left: dict[str, Any] = {}
        if sum(len(asked["Keys"]) for asked in RequestItems.values()) > LARGEST_GET_BATCH:
            raise refused("BatchGetItem", "Too many items requested for the BatchGetItem call")
        for name, asked in RequestItems.items():
            table = self.table(name, "BatchGetItem")
            read = table.as_of(self._since(0.0 if asked.get("ConsistentRead") else lag))
            wanted = [(key, table.key_of(key, "BatchGetItem", alone=True)) for key in asked["Keys"]]
            if not wanted or len({key for _, key in wanted}) < len(wanted):
                raise refused("BatchGetItem", "Provided list of item keys is empty or contains duplicates")
            unprocessed = [key for key, _ in wanted if drop()]
            if unprocessed:
                left[name] = {**asked, "Keys": unprocessed}
            items = [read(key) for given, key in wanted if given not in unprocessed]
            found[name] = [calls.projected(item, asked) for item in items if item is not None]
        return {"Responses": found, "UnprocessedKeys": left}

    def batch_write_item(
        self,
        RequestItems: Mapping[str, Sequence[Any]],  # noqa: N803
        drop: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """BatchWriteItem; `drop` chooses the rows that stay unprocessed."""
        writes: list[tuple[Table, Key, Item | None, Any]] = []
        for name, requests in RequestItems.items():
            table = self.table(name, "BatchWriteItem")
            for request in requests:
                match request:
                    case {"PutRequest": {"Item": item}}:
                        writes.append((table, table.key_of(item, "BatchWriteItem"), item, request))
                    case {"DeleteRequest": {"Key": key}}:
                        writes.append((table, table.key_of(key, "BatchWriteItem", alone=True), None, request))
                    case _:
                        raise refused("BatchWriteItem", f"{request}")
        if not 0 < len(writes) <= LARGEST_WRITE_BATCH:
            raise refused("BatchWriteItem", "Too many items requested for the BatchWriteItem call")
        if len({(table.name, key) for table, key, _, _ in writes}) < len(writes):
            raise refused("BatchWriteItem", "Provided list of item keys contains duplicates")
        left: dict[str, list[Any]] = {}
        for table, key, item, request in writes:
            if drop():
                left.setdefault(table.name, []).append(request)
            else:
                require_size(item, "BatchWriteItem")
                self._change(table, key, item)
        return {"UnprocessedItems": left}

    def batch_execute_statement(
        self,
        Statements: Sequence[Any],  # noqa: N803
        drop: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        """BatchExecuteStatement, of conditional updates; `drop` chooses those that are throttled."""
        if not 0 < len(Statements) <= LARGEST_WRITE_BATCH:
            raise refused("BatchExecuteStatement", "Member must have length less than or equal to 25")
        updates = [update_item(one, _KEYS) for one in Statements]
        if len({(one["TableName"], str(one["Key"])) for one in updates}) < len(updates):
            raise refused("BatchExecuteStatement", "Provided list of item keys contains duplicates")
        told: list[dict[str, Any]] = []
        for one in updates:
            answer: dict[str, Any] = {"TableName": one["TableName"]}
            try:
                if drop():
                    answer["Error"] = {"Code": "ThrottlingError"}
                else:
                    self.update_item(**one)
            except ClientError as exc:
                answer["Error"] = {"Code": "ConditionalCheckFailed", "Item": exc.response.get("Item", {})}
            told.append(answer)
        return {"Responses": told}

    def transact_write_items(self, TransactItems: Sequence[Any], **more: Any) -> dict[str, Any]:  # noqa: N803
        """TransactWriteItems: all or nothing."""
        calls.only(more, "TransactWriteItems", "ClientRequestToken")
        if not 0 < len(TransactItems) <= LARGEST_TRANSACTION:
            raise refused("TransactWriteItems", "Member must have length less than or equal to 100")
        planned = [self._planned(item) for item in TransactItems]
        if len({(table.name, key) for table, key, _, _ in planned}) < len(planned):
            raise refused("TransactWriteItems", "Transaction request cannot include multiple operations on one item")
        reasons = [_reason(table.get(key), options) for table, key, options, _ in planned]
        if any(reason["Code"] != "None" for reason in reasons):
            codes = ", ".join(reason["Code"] for reason in reasons)
            message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
            raise error("TransactionCanceledException", "TransactWriteItems", message, CancellationReasons=reasons)
        after = [change(table.get(key), calls.scope(options)) for table, key, options, change in planned]
        for item in after:
            require_size(item, "TransactWriteItems")
        for (table, key, options, _), item in zip(planned, after, strict=True):
            if "check" not in options:
                self._change(table, key, item)
        return {}

    # --- ranges ----------------------------------------------------------------------------------------------------

    def query(
        self,
        TableName: str,  # noqa: N803
        KeyConditionExpression: str,  # noqa: N803
        lag: float = 0.0,
        cut: int | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Query; `cut` ends the page after so many rows, as 1 MB of larger ones would."""
        calls.only(more, "Query", "IndexName", "ScanIndexForward", "Select", *READING)
        table = self.table(TableName, "Query")
        scope, read = calls.scope(more), calls.read("Query", keys, KeyConditionExpression)
        scope.used.update(read.placeholders)
        index = table.indexes.get(more["IndexName"]) if "IndexName" in more else None
        if "IndexName" in more and index is None:
            raise refused("Query", f"The table does not have the specified index: {more['IndexName']}")
        if index and more.get("ConsistentRead"):
            raise refused("Query", "Consistent reads are not supported on global secondary indexes")
        partition, sort = (index.partition, index.sort) if index else (table.partition, table.sort)
        if scope.name(read.partition[0]) != partition:
            raise refused("Query", f"Query condition missed key schema element: {partition}")
        wanted = scope.value(read.partition[1])
        if set(wanted) != {table.kinds[partition]}:
            raise refused("Query", "Condition parameter type does not match schema type")
        since = self._since(lag)
        rows = table.indexed(index, plain(wanted), since) if index else table.partition_of(plain(wanted), since)
        if read.sort:
            name, kind, bounds = read.sort
            if sort is None or scope.name(name) != sort:
                raise refused("Query", "Query key condition not supported")
            limits = tuple(plain(scope.value(bound)) for bound in bounds)
            rows = [row for row in rows if in_range(kind, row[0][0], limits)]
        if not more.get("ScanIndexForward", True):
            rows.reverse()
        return page(table, index, rows, more, scope, "Query", cut)

    def scan(self, TableName: str, lag: float = 0.0, cut: int | None = None, **more: Any) -> dict[str, Any]:  # noqa: N803
        """Scan."""
        calls.only(more, "Scan", "Select", *READING)
        table = self.table(TableName, "Scan")
        read = table.as_of(self._since(lag))
        found = ((key, read(key)) for key, _ in list(table.all()))
        rows = [(("", *map(str, key)), item) for key, item in found if item is not None]
        rows.sort(key=lambda row: row[0])
        return page(table, None, rows, more, calls.scope(more), "Scan", cut)

    # --- time ------------------------------------------------------------------------------------------------------

    def expire(self, table: Table, key: Key) -> None:
        """Remove a row as DynamoDB itself does."""
        self._change(table, key, None, by_expiry=True)

    # --- what they share -------------------------------------------------------------------------------------------

    def _change(self, table: Table, key: Key, item: Item | None, *, by_expiry: bool = False) -> None:
        before = table.get(key)
        if before == item:
            return  # what changes nothing writes no stream record
        table.set(key, None if item is None else dict(item))
        table.note(self._now(), key, before)
        self._changed(table, key, before, item, by_expiry)

    def _since(self, lag: float) -> float | None:
        return self._now() - lag if lag else None

    def _write(
        self,
        table: Table,
        key: Key,
        operation: str,
        more: Mapping[str, Any],
        change: Callable[[Item | None, Scope], Item | None],
        paths: Sequence[str] = (),
    ) -> dict[str, Any]:
        before = table.get(key)
        scope = calls.scope(more)
        if "ConditionExpression" in more:
            wanted = calls.read(operation, condition, more["ConditionExpression"])
            scope.used.update(wanted.placeholders)
            if not calls.holds(wanted, before, scope, operation):
                kept = more.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before is not None
                raise error(
                    "ConditionalCheckFailedException",
                    operation,
                    "The conditional request failed",
                    **({"Item": before} if kept else {}),
                )
        try:
            after = change(before, scope)
        except Refused as exc:
            raise refused(operation, str(exc)) from exc
        calls.checked(scope, operation)
        require_size(after, operation)
        self._change(table, key, after)
        match more.get("ReturnValues", "NONE"):
            case "ALL_OLD" if before is not None:
                return {"Attributes": before}
            case "ALL_NEW" if after is not None:
                return {"Attributes": after}
            case "UPDATED_NEW" if operation == "UpdateItem" and after is not None:
                touched = {scope.name(path) for path in paths}
                return {"Attributes": {name: value for name, value in after.items() if name in touched}}
            case "NONE" | "ALL_OLD":
                return {}
            case other:
                raise refused(operation, f"ReturnValues {other} is not understood here")

    def _planned(self, item: Any) -> tuple[Table, Key, Any, Callable[[Item | None, Scope], Item | None]]:
        operation = "TransactWriteItems"
        match item:
            case {"Put": options}:
                calls.only(options, operation, "TableName", "Item", *CONDITIONAL)
                table = self.table(options["TableName"], operation)
                return table, table.key_of(options["Item"], operation), options, lambda _, __: options["Item"]
            case {"Update": options}:
                calls.only(options, operation, "TableName", "Key", "UpdateExpression", *CONDITIONAL)
                table = self.table(options["TableName"], operation)
                key = table.key_of(options["Key"], operation, alone=True)
                return table, key, options, _updating(table, options["Key"], options["UpdateExpression"])
            case {"Delete": options}:
                calls.only(options, operation, "TableName", "Key", *CONDITIONAL)
                table = self.table(options["TableName"], operation)
                return table, table.key_of(options["Key"], operation, alone=True), options, lambda _, __: None
            case {"ConditionCheck": options}:
                calls.only(options, operation, "TableName", "Key", *CONDITIONAL)
                table = self.table(options["TableName"], operation)
                key = table.key_of(options["Key"], operation, alone=True)
                return table, key, {**options, "check": True}, lambda before, _: before
            case _:
                raise refused(operation, f"{item}")


def _updating(table: Table, key: Item, expression: str) -> Callable[[Item | None, Scope], Item]:
    read = calls.read("UpdateItem", update, expression)

    def change(before: Item | None, scope: Scope) -> Item:
        scope.used.update(read.placeholders)
        after: Item = read.applied(before or key, scope)
        if any(after.get(name) != key[name] for name in key):
            raise Refused("Cannot update attribute: this attribute is part of the key")
        for index in table.indexes.values():
            for name in (index.partition, index.sort):
                if name and name in after and set(after[name]) != {table.kinds[name]}:
                    raise Refused(f"Type mismatch for index key {name}")
        return after

    return change


def _reason(before: Item | None, options: Mapping[str, Any]) -> dict[str, Any]:
    scope = calls.scope(options)
    if "UpdateExpression" in options:
        scope.used.update(calls.read("TransactWriteItems", update, options["UpdateExpression"]).placeholders)
    holds = True
    if "ConditionExpression" in options:
        wanted = calls.read("TransactWriteItems", condition, options["ConditionExpression"])
        scope.used.update(wanted.placeholders)
        holds = calls.holds(wanted, before, scope, "TransactWriteItems")
    calls.checked(scope, "TransactWriteItems")
    if holds:
        return {"Code": "None"}
    kept = options.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before is not None
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    return {**failed, "Item": before} if kept else failed
