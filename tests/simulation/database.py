"""An in-memory DynamoDB, below the client: tables, indexes, conditions, transactions, streams and expiry.

Tables are those of template.yaml. Each operation happens at once, as DynamoDB's do; what lies before, after and between
operations (delays, faults, retries) is the client's, in `dynamodb.py`. Errors carry the codes that botocore raises.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from local.partiql import update_item
from local.template import resources
from tests.simulation.expressions import Condition, Item, Refused, Scope, condition, in_range, keys, plain, update

LARGEST_ITEM: Final = 400 * 1024
LARGEST_PAGE: Final = 1024 * 1024
LARGEST_TRANSACTION: Final = 100
LARGEST_WRITE_BATCH: Final = 25
LARGEST_GET_BATCH: Final = 100
_KEYS: Final = frozenset({"request_id"})  # of the only table whose rows are updated by statements
REMEMBERED_S: Final = 3.0  # how old an inconsistent read may be

Key = tuple[Any, ...]
Change = Callable[["Table", Key, Item | None, Item | None, bool], None]


def refused(operation: str, message: str) -> ClientError:
    """What DynamoDB raises for a call that it does not understand."""
    return error("ValidationException", operation, message)


def error(code: str, operation: str, message: str = "made up", **more: Any) -> ClientError:
    """What botocore raises when DynamoDB answers with the code."""
    answer: Any = {"Error": {"Code": code, "Message": message}, **more}
    return ClientError(answer, operation)


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index, which is a way to look at the table's rows, perhaps those of a moment ago."""

    partition: str
    sort: str | None
    held: frozenset[str] | None  # None: everything


@dataclass(slots=True)
class Table:
    """A table: its rows by partition, sorted within."""

    name: str
    partition: str
    sort: str | None
    kinds: Mapping[str, str]
    indexes: Mapping[str, Index]
    expiry: str | None
    stream: str | None
    rows: dict[Any, dict[Any, Item]] = field(default_factory=dict)
    order: dict[Any, list[Any]] = field(default_factory=dict)
    recent: deque[tuple[float, Key, Item | None]] = field(default_factory=deque)

    def key_of(self, item: Item, operation: str, *, alone: bool = False) -> Key:
        """The key of an item or of a `Key` argument; refused when it is not of the table's form."""
        names = [self.partition, *([self.sort] if self.sort else [])]
        if alone and set(item) != set(names):
            raise refused(operation, "The provided key element does not match the schema")
        values = []
        for name in names:
            value = item.get(name)
            if value is None or set(value) != {self.kinds[name]}:
                raise refused(operation, f"Missing the key {name} in the item")
            if value.get("S") == "" or value.get("B") == b"":
                raise refused(operation, f"Key attribute {name} is empty")
            values.append(plain(value))
        return tuple(values)

    def get(self, key: Key) -> Item | None:
        """A row."""
        return self.rows.get(key[0], {}).get(key[1] if self.sort else None)

    def set(self, key: Key, item: Item | None) -> None:
        """Put a row in place, or take it away."""
        part, sort = key[0], key[1] if self.sort else None
        rows = self.rows.setdefault(part, {})
        order = self.order.setdefault(part, [])
        if item is None:
            del rows[sort]
            if self.sort:
                del order[bisect_left(order, sort)]
            return
        if self.sort and sort not in rows:
            insort(order, sort)
        rows[sort] = item

    def all(self) -> Iterator[tuple[Key, Item]]:
        """Every row with its key."""
        for part, rows in self.rows.items():
            for sort, item in rows.items():
                yield ((part, sort) if self.sort else (part,)), item


class Database:
    """The tables of the stack. `now` gives seconds; `changed` hears of every change of a row that is one."""

    def __init__(self, now: Callable[[], float], changed: Change = lambda *_: None, prefix: str = "streamer") -> None:
        self._now = now
        self._changed = changed
        made = [_table(f"{prefix}-{name.removesuffix('Table')}", table) for name, table in _DEFINED.items()]
        self.tables: Mapping[str, Table] = {table.name: table for table in made}

    def table(self, name: str, operation: str) -> Table:
        """A table by its name."""
        if name not in self.tables:
            raise error("ResourceNotFoundException", operation, name)
        return self.tables[name]

    # --- one row ---------------------------------------------------------------------------------------------------

    def get_item(self, TableName: str, Key: Item, lag: float = 0.0, **more: Any) -> dict[str, Any]:  # noqa: N803
        """GetItem."""
        _only(more, "GetItem", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames")
        table = self.table(TableName, "GetItem")
        item = self._as_of(table, lag)(table.key_of(Key, "GetItem", alone=True))
        return {} if item is None else {"Item": _projected(item, more)}

    def put_item(self, TableName: str, Item: Item, **more: Any) -> dict[str, Any]:  # noqa: N803
        """PutItem."""
        _only(more, "PutItem", *_CONDITIONAL)
        table = self.table(TableName, "PutItem")
        return self._write(table, table.key_of(Item, "PutItem"), "PutItem", more, lambda _, __: Item)

    def update_item(self, TableName: str, Key: Item, UpdateExpression: str, **more: Any) -> dict[str, Any]:  # noqa: N803
        """UpdateItem."""
        _only(more, "UpdateItem", *_CONDITIONAL)
        table = self.table(TableName, "UpdateItem")
        key, change = table.key_of(Key, "UpdateItem", alone=True), _updating(table, Key, UpdateExpression)
        return self._write(
            table, key, "UpdateItem", more, change, _read("UpdateItem", update, UpdateExpression).paths()
        )

    def delete_item(self, TableName: str, Key: Item, **more: Any) -> dict[str, Any]:  # noqa: N803
        """DeleteItem."""
        _only(more, "DeleteItem", *_CONDITIONAL)
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
            read = self._as_of(table, 0.0 if asked.get("ConsistentRead") else lag)
            wanted = [(key, table.key_of(key, "BatchGetItem", alone=True)) for key in asked["Keys"]]
            if not wanted or len({key for _, key in wanted}) < len(wanted):
                raise refused("BatchGetItem", "Provided list of item keys is empty or contains duplicates")
            unprocessed = [key for key, _ in wanted if drop()]
            if unprocessed:
                left[name] = {**asked, "Keys": unprocessed}
            items = [read(key) for given, key in wanted if given not in unprocessed]
            found[name] = [_projected(item, asked) for item in items if item is not None]
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
                _require_size(item, "BatchWriteItem")
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
        _only(more, "TransactWriteItems", "ClientRequestToken")
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
        after = [change(table.get(key), _scope(options)) for table, key, options, change in planned]
        for item in after:
            _require_size(item, "TransactWriteItems")
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
        _only(more, "Query", "IndexName", "ScanIndexForward", "Select", *_READING)
        table = self.table(TableName, "Query")
        scope, read = _scope(more), _read("Query", keys, KeyConditionExpression)
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
        rows = self._partition(table, index, plain(wanted), lag)
        if read.sort:
            name, kind, bounds = read.sort
            if sort is None or scope.name(name) != sort:
                raise refused("Query", "Query key condition not supported")
            limits = tuple(plain(scope.value(bound)) for bound in bounds)
            rows = [row for row in rows if in_range(kind, row[0][0], limits)]
        if not more.get("ScanIndexForward", True):
            rows.reverse()
        return self._page(table, index, rows, more, scope, "Query", cut)

    def scan(self, TableName: str, lag: float = 0.0, cut: int | None = None, **more: Any) -> dict[str, Any]:  # noqa: N803
        """Scan."""
        _only(more, "Scan", "Select", *_READING)
        table = self.table(TableName, "Scan")
        read = self._as_of(table, lag)
        found = ((key, read(key)) for key, _ in list(table.all()))
        rows = [(("", *map(str, key)), item) for key, item in found if item is not None]
        rows.sort(key=lambda row: row[0])
        return self._page(table, None, rows, more, _scope(more), "Scan", cut)

    # --- time ------------------------------------------------------------------------------------------------------

    def expired(self, table: Table, epoch: float) -> list[Key]:
        """The rows of a table whose time to live is over, which DynamoDB may remove at any time from now on."""
        name = table.expiry
        if name is None:
            return []
        return [key for key, item in table.all() if "N" in item.get(name, {}) and int(item[name]["N"]) < epoch]

    def expire(self, table: Table, key: Key) -> None:
        """Remove a row as DynamoDB itself does."""
        self._change(table, key, None, by_expiry=True)

    # --- what they share -------------------------------------------------------------------------------------------

    def _change(self, table: Table, key: Key, item: Item | None, *, by_expiry: bool = False) -> None:
        before = table.get(key)
        if before == item:
            return  # what changes nothing writes no stream record
        table.set(key, None if item is None else dict(item))
        now = self._now()
        while table.recent and table.recent[0][0] < now - REMEMBERED_S:
            table.recent.popleft()
        table.recent.append((now, key, before))
        self._changed(table, key, before, item, by_expiry)

    def _as_of(self, table: Table, lag: float) -> Callable[[Key], Item | None]:
        """Reads rows as they were some time ago."""
        past = self._past(table, lag)
        return (lambda key: past[key] if key in past else table.get(key)) if past else table.get

    def _past(self, table: Table, lag: float) -> dict[Key, Item | None]:
        past: dict[Key, Item | None] = {}
        if lag:
            for at, key, before in reversed(table.recent):
                if at < self._now() - lag:
                    break
                past[key] = before
        return past

    def _partition(self, table: Table, index: Index | None, wanted: Any, lag: float) -> list[tuple[Key, Item]]:
        """The rows of a partition in order, each with (sort key, the table's own key)."""
        if index is None:
            past = self._past(table, lag)
            rows = table.rows.get(wanted, {})
            if not past:
                if table.sort is None:
                    return [((wanted, wanted), item) for item in rows.values()]
                return [((sort, wanted, sort), rows[sort]) for sort in table.order.get(wanted, [])]
            names = {(wanted, sort) if table.sort else (wanted,) for sort in rows}
            names |= {key for key in past if key[0] == wanted}
            items = [(key, past[key] if key in past else table.get(key)) for key in names]
            return sorted([((key[-1], *key), item) for key, item in items if item is not None], key=lambda row: row[0])
        return self._indexed(table, index, wanted, lag)

    def _indexed(self, table: Table, index: Index, wanted: Any, lag: float) -> list[tuple[Key, Item]]:
        past = self._past(table, lag)
        found: list[tuple[Key, Item]] = []
        current = ((key, item) for key, item in table.all() if key not in past)
        for key, item in (*current, *past.items()):
            if item is None:
                continue
            partition, sort = item.get(index.partition), item.get(index.sort) if index.sort else {"S": ""}
            if partition is None or sort is None or plain(partition) != wanted:
                continue
            held = item if index.held is None else {n: item[n] for n in index.held if n in item}
            found.append(((plain(sort), *key), held))
        found.sort(key=lambda row: row[0])
        return found

    def _page(
        self,
        table: Table,
        index: Index | None,
        rows: list[tuple[Key, Item]],
        more: Mapping[str, Any],
        scope: Scope,
        operation: str,
        cut: int | None,
    ) -> dict[str, Any]:
        start = more.get("ExclusiveStartKey")
        if start is not None:
            place = self._place(table, index, start, operation)
            later = more.get("ScanIndexForward", True)
            rows = [row for row in rows if (row[0] > place if later else row[0] < place)]
        wanted = None
        if "FilterExpression" in more:
            wanted = _read(operation, condition, more["FilterExpression"])
            scope.used.update(wanted.placeholders)
        if "ProjectionExpression" in more:
            scope.used.update(name for name in _names(more["ProjectionExpression"]) if name.startswith("#"))
        _checked(scope, operation)
        limit = min(more.get("Limit", len(rows) + 1), cut or len(rows) + 1)
        if limit < 1:
            raise refused(operation, "Limit must be at least 1")
        size, taken, last, count = 0, [], None, 0
        for count, (_, item) in enumerate(rows, start=1):
            size += size_of(item)
            if wanted is None or wanted.holds(item, scope):
                taken.append(_projected(item, more))
            if count < len(rows) and (count >= limit or size >= LARGEST_PAGE):
                last = self._key_at(table, index, item)
                break
            if count == more.get("Limit"):
                last = self._key_at(table, index, item)  # DynamoDB does not look whether more follows
        answer: dict[str, Any] = {"Items": taken, "Count": len(taken), "ScannedCount": count}
        if more.get("Select") == "COUNT":
            del answer["Items"]
        return answer if last is None else {**answer, "LastEvaluatedKey": last}

    def _place(self, table: Table, index: Index | None, start: Item, operation: str) -> Key:
        key = table.key_of({n: v for n, v in start.items() if n in (table.partition, table.sort)}, operation)
        if index is not None:
            expected = {table.partition, table.sort, index.partition, index.sort} - {None}
            if set(start) != expected:
                raise refused(operation, "The provided starting key is invalid")
            return (plain(start[index.sort]) if index.sort else "", *key)
        if operation == "Scan":
            return ("", *map(str, key))
        return (key[-1], *key)

    def _key_at(self, table: Table, index: Index | None, item: Item) -> dict[str, Any]:
        names = [table.partition, table.sort, *((index.partition, index.sort) if index else ())]
        return {name: item[name] for name in names if name is not None}

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
        scope = _scope(more)
        if "ConditionExpression" in more:
            wanted = _read(operation, condition, more["ConditionExpression"])
            scope.used.update(wanted.placeholders)
            if not _holds(wanted, before, scope, operation):
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
        _checked(scope, operation)
        _require_size(after, operation)
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
                _only(options, operation, "TableName", "Item", *_CONDITIONAL)
                table = self.table(options["TableName"], operation)
                return table, table.key_of(options["Item"], operation), options, lambda _, __: options["Item"]
            case {"Update": options}:
                _only(options, operation, "TableName", "Key", "UpdateExpression", *_CONDITIONAL)
                table = self.table(options["TableName"], operation)
                key = table.key_of(options["Key"], operation, alone=True)
                return table, key, options, _updating(table, options["Key"], options["UpdateExpression"])
            case {"Delete": options}:
                _only(options, operation, "TableName", "Key", *_CONDITIONAL)
                table = self.table(options["TableName"], operation)
                return table, table.key_of(options["Key"], operation, alone=True), options, lambda _, __: None
            case {"ConditionCheck": options}:
                _only(options, operation, "TableName", "Key", *_CONDITIONAL)
                table = self.table(options["TableName"], operation)
                key = table.key_of(options["Key"], operation, alone=True)
                return table, key, {**options, "check": True}, lambda before, _: before
            case _:
                raise refused(operation, f"{item}")


_CONDITIONAL: Final = (
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
    "ReturnValues",
)
_READING: Final = (
    "FilterExpression",
    "ProjectionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ConsistentRead",
    "Limit",
    "ExclusiveStartKey",
)


def size_of(item: Item) -> int:
    """The size of an item as DynamoDB counts it, near enough."""
    size = 0
    for name, value in item.items():
        size += len(name)
        for kind, content in value.items():  # there is one
            if kind == "S":
                size += len(content) if content.isascii() else len(content.encode(errors="surrogatepass"))
            elif kind == "SS":
                size += sum(map(len, content))
            else:
                size += len(content) if kind in ("B", "N") else 1
    return size


def _require_size(item: Item | None, operation: str) -> None:
    if item is not None and size_of(item) > LARGEST_ITEM:
        raise refused(operation, "Item size has exceeded the maximum allowed size")


def _only(given: Iterable[str], operation: str, *known: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise refused(operation, f"not understood here: {unknown}")


def _scope(options: Mapping[str, Any]) -> Scope:
    return Scope(options.get("ExpressionAttributeNames", {}), options.get("ExpressionAttributeValues", {}))


def _checked(scope: Scope, operation: str) -> None:
    try:
        scope.all_used()
    except Refused as exc:
        raise refused(operation, str(exc)) from exc


def _read(operation: str, reader: Callable[[str], Any], text: str) -> Any:
    try:
        return reader(text)
    except Refused as exc:
        raise refused(operation, str(exc)) from exc


def _holds(wanted: Condition, before: Item | None, scope: Scope, operation: str) -> bool:
    try:
        return wanted.holds(before or {}, scope)
    except Refused as exc:
        raise refused(operation, str(exc)) from exc


def _updating(table: Table, key: Item, expression: str) -> Callable[[Item | None, Scope], Item]:
    read = _read("UpdateItem", update, expression)

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
    scope = _scope(options)
    if "UpdateExpression" in options:
        scope.used.update(_read("TransactWriteItems", update, options["UpdateExpression"]).placeholders)
    holds = True
    if "ConditionExpression" in options:
        wanted = _read("TransactWriteItems", condition, options["ConditionExpression"])
        scope.used.update(wanted.placeholders)
        holds = _holds(wanted, before, scope, "TransactWriteItems")
    _checked(scope, "TransactWriteItems")
    if holds:
        return {"Code": "None"}
    kept = options.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before is not None
    failed = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
    return {**failed, "Item": before} if kept else failed


def _names(projection: str) -> list[str]:
    return [name.strip() for name in projection.split(",")]


def _projected(item: Item, options: Mapping[str, Any]) -> Item:
    if "ProjectionExpression" not in options:
        return dict(item)
    named = options.get("ExpressionAttributeNames", {})
    wanted = {named.get(name, name) for name in _names(options["ProjectionExpression"])}
    return {name: value for name, value in item.items() if name in wanted}


def _table(name: str, defined: Mapping[str, Any]) -> Table:
    partition, sort = _schema(defined)
    kinds = {one["AttributeName"]: one["AttributeType"] for one in defined["AttributeDefinitions"]}
    indexes = {}
    for index in defined.get("GlobalSecondaryIndexes", []):
        own = _schema(index)
        kept = None
        if index["Projection"]["ProjectionType"] != "ALL":
            kept = frozenset({partition, sort, *own, *index["Projection"].get("NonKeyAttributes", ())} - {None})
        indexes[index["IndexName"]] = Index(own[0], own[1], kept)
    ttl, stream = defined.get("TimeToLiveSpecification", {}), defined.get("StreamSpecification", {})
    return Table(name, partition, sort, kinds, indexes, ttl.get("AttributeName"), stream.get("StreamViewType"))


def _schema(of: Mapping[str, Any]) -> tuple[str, str | None]:
    roles = {key["KeyType"]: key["AttributeName"] for key in of["KeySchema"]}
    return roles["HASH"], roles.get("RANGE")


_DEFINED: Final = resources("AWS::DynamoDB::Table")
