"""What projections want of the view tables, written as DynamoDB takes it.

Counts of one row may come from many functions at once, and transactions on one row collide. So a row of counts has
SHARDS copies, which readers sum up: each function adds to the first until it collides there, then goes on with another
one. A quiet tenant has one copy, a busy one as many as it needs.
"""

from collections.abc import Mapping
from typing import Any, Final

from adapters.items import to_item, to_value
from projections.intents import Add, Attribute, Once, Put, View

SHARDS: Final = 4  # of a row of counts, each good for some 500 transactions a second; may only ever be raised
_OF: Final = "~"


class ViewWrites:
    """Makes writes to the view tables; the request that carries them is the caller's."""

    def __init__(self, tables: Mapping[View, str]) -> None:
        self._tables = tables

    def whole(self, put: Put) -> tuple[str, Any]:
        """The table, and the row as BatchWriteItem puts it in the place of whatever was there."""
        return self._tables[put.view], {"PutRequest": {"Item": to_item({**put.key, **put.attributes})}}

    def update(self, put: Put) -> Any:
        """The arguments of UpdateItem, under the condition on the row's version."""
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

    def statement(self, put: Put) -> Any:
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

    def of_transaction(self, intent: Put | Once | Add, shard: int) -> Any:
        """One of TransactItems; counts are added to that copy of their row."""
        match intent:
            case Put():
                return {"Update": self.update(intent)}
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
                return {"Update": {**expression.arguments(), **self._where(intent.view, sharded(intent.key, shard))}}

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
