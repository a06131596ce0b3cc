"""DynamoDB's attribute values for the four kinds of value that our tables hold: text, integer, bytes, flag."""

from collections.abc import Mapping
from typing import Any

from domain.errors import Undecodable

Item = Mapping[str, Mapping[str, Any]]
Value = str | int | bytes | bool | None


def to_item(attributes: Mapping[str, Value]) -> dict[str, dict[str, Any]]:
    """The attributes in DynamoDB's form; those that are None are left out."""
    return {name: to_value(value) for name, value in attributes.items() if value is not None}


def to_value(value: Value) -> dict[str, Any]:
    """One value in DynamoDB's form."""
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case str():
            return {"S": value}
        case _:
            raise TypeError(f"{type(value).__name__} has no attribute type here")


def from_item(item: Item) -> dict[str, Any]:
    """The attributes of an item; Undecodable when one is of another kind."""
    return {name: _from_value(name, value) for name, value in item.items()}


def _from_value(name: str, value: Mapping[str, Any]) -> Value:
    match dict(value):
        case {"S": str(text)}:
            return text
        case {"N": str(number)} if number.lstrip("-").isdigit():
            return int(number)
        case {"B": bytes(data)} | {"BOOL": bool(data)}:
            return data
        case _:
            raise Undecodable("unknown attribute type", attribute=name)
