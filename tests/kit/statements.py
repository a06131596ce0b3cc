"""What moto lacks of BatchExecuteStatement: of an update whose condition does not hold it tells nothing."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Final
from unittest.mock import patch

from moto.dynamodb.exceptions import ConditionalCheckFailed
from moto.dynamodb.models import DynamoDBBackend

from domain import exact_json
from local.partiql import update_item

_KEYS: Final = frozenset({"request_id"})


def conditional_statements() -> AbstractContextManager[Any]:
    """Let moto carry out each statement as the UpdateItem that it stands for, with its condition."""
    return patch.object(DynamoDBBackend, "batch_execute_statement", _carried_out)


def _carried_out(backend: DynamoDBBackend, statements: Sequence[Any]) -> list[dict[str, Any]]:
    told = []
    for statement in statements:
        given = update_item(statement, _KEYS)
        answer = {"TableName": given["TableName"]}
        try:
            backend.update_item(
                given["TableName"],
                given["Key"],
                given["UpdateExpression"],
                given["ExpressionAttributeNames"],
                given["ExpressionAttributeValues"],
                condition_expression=given["ConditionExpression"],
                return_values_on_condition_check_failure=given["ReturnValuesOnConditionCheckFailure"],
            )
        except ConditionalCheckFailed as exc:
            found = exact_json.decode(str(exc.description)).get("Item", {})
            answer["Error"] = {"Code": "ConditionalCheckFailed", "Message": "made up", "Item": found}
        told.append(answer)
    return told
