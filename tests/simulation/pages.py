"""Pages of a Query or a Scan."""

from collections.abc import Mapping
from typing import Any, Final

from tests.simulation.calls import checked, names, projected, read, refused
from tests.simulation.expressions import Item, Scope, condition, plain
from tests.simulation.tables import Index, Key, Table, size_of

LARGEST_PAGE: Final = 1024 * 1024


def page(
    table: Table,
    index: Index | None,
    rows: list[tuple[Key, Item]],
    more: Mapping[str, Any],
    scope: Scope,
    operation: str,
    cut: int | None,
) -> dict[str, Any]:
    """A page of these rows, which are in order: from where the one before ended, as far as the limits let it.

    `cut` ends it after so many rows, as 1 MB of larger ones would.
    """
    start = more.get("ExclusiveStartKey")
    if start is not None:
        place = _place(table, index, start, operation)
        later = more.get("ScanIndexForward", True)
        rows = [row for row in rows if (row[0] > place if later else row[0] < place)]
    wanted = None
    if "FilterExpression" in more:
        wanted = read(operation, condition, more["FilterExpression"])
        scope.used.update(wanted.placeholders)
    if "ProjectionExpression" in more:
        scope.used.update(name for name in names(more["ProjectionExpression"]) if name.startswith("#"))
    checked(scope, operation)
    limit = min(more.get("Limit", len(rows) + 1), cut or len(rows) + 1)
    if limit < 1:
        raise refused(operation, "Limit must be at least 1")
    size, taken, last, count = 0, [], None, 0
    for count, (_, item) in enumerate(rows, start=1):
        size += size_of(item)
        if wanted is None or wanted.holds(item, scope):
            taken.append(projected(item, more))
        if count < len(rows) and (count >= limit or size >= LARGEST_PAGE):
            last = _key_at(table, index, item)
            break
        if count == more.get("Limit"):
            last = _key_at(table, index, item)  # DynamoDB does not look whether more follows
    answer: dict[str, Any] = {"Items": taken, "Count": len(taken), "ScannedCount": count}
    if more.get("Select") == "COUNT":
        del answer["Items"]
    return answer if last is None else {**answer, "LastEvaluatedKey": last}


def _place(table: Table, index: Index | None, start: Item, operation: str) -> Key:
    key = table.key_of({n: v for n, v in start.items() if n in (table.partition, table.sort)}, operation)
    if index is not None:
        expected = {table.partition, table.sort, index.partition, index.sort} - {None}
        if set(start) != expected:
            raise refused(operation, "The provided starting key is invalid")
        return (plain(start[index.sort]) if index.sort else "", *key)
    if operation == "Scan":
        return ("", *map(str, key))
    return (key[-1], *key)


def _key_at(table: Table, index: Index | None, item: Item) -> dict[str, Any]:
    key = [table.partition, table.sort, *((index.partition, index.sort) if index else ())]
    return {name: item[name] for name in key if name is not None}
