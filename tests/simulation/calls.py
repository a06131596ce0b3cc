"""What calls of the in-memory DynamoDB have in common: what they may say, and the errors that botocore raises."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from tests.simulation.expressions import Condition, Item, Refused, Scope

CONDITIONAL: Final = (
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
    "ReturnValues",
)
READING: Final = (
    "FilterExpression",
    "ProjectionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ConsistentRead",
    "Limit",
    "ExclusiveStartKey",
)


def refused(operation: str, message: str) -> ClientError:
    """What DynamoDB raises for a call that it does not understand."""
    return error("ValidationException", operation, message)


def error(code: str, operation: str, message: str = "made up", **more: Any) -> ClientError:
    """What botocore raises when DynamoDB answers with the code."""
    answer: Any = {"Error": {"Code": code, "Message": message}, **more}
    return ClientError(answer, operation)


def only(given: Iterable[str], operation: str, *known: str) -> None:
    """Refuse what a call says and nothing here understands."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise refused(operation, f"not understood here: {unknown}")


def scope(options: Mapping[str, Any]) -> Scope:
    """The names and values behind a call's placeholders."""
    return Scope(options.get("ExpressionAttributeNames", {}), options.get("ExpressionAttributeValues", {}))


def checked(scope: Scope, operation: str) -> None:
    """Refuse a call with a placeholder that no expression uses."""
    try:
        scope.all_used()
    except Refused as exc:
        raise refused(operation, str(exc)) from exc


def read(operation: str, reader: Callable[[str], Any], text: str) -> Any:
    """An expression, read; refused as DynamoDB does when it is none."""
    try:
        return reader(text)
    except Refused as exc:
        raise refused(operation, str(exc)) from exc


def holds(wanted: Condition, before: Item | None, scope: Scope, operation: str) -> bool:
    """Whether a condition holds for a row, or for none."""
    try:
        return wanted.holds(before or {}, scope)
    except Refused as exc:
        raise refused(operation, str(exc)) from exc


def names(projection: str) -> list[str]:
    """The names in a projection."""
    return [name.strip() for name in projection.split(",")]


def projected(item: Item, options: Mapping[str, Any]) -> Item:
    """What a call wants to see of an item."""
    if "ProjectionExpression" not in options:
        return dict(item)
    named = options.get("ExpressionAttributeNames", {})
    wanted = {named.get(name, name) for name in names(options["ProjectionExpression"])}
    return {name: value for name, value in item.items() if name in wanted}
