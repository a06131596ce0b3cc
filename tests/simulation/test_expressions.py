"""Expressions: what is understood means what DynamoDB means by it, and what is not is refused."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.simulation.database import Database
from tests.simulation.expressions import Refused, Scope, condition, keys, update

ITEM: Any = {"a": {"N": "10"}, "b": {"S": "x"}, "s": {"SS": ["p", "q"]}}
VALUES: Any = {":n": {"N": "9"}, ":t": {"S": "x"}, ":u": {"S": "y"}, ":p": {"SS": ["p"]}, ":two": {"N": "2"}}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("attribute_exists(a)", True),
        ("attribute_not_exists(a)", False),
        ("a > :n", True),  # as numbers, not as text
        ("a = :t", False),
        ("a <> :t", True),
        ("c < :n", False),  # what is not there fails every comparison
        ("NOT c < :n", True),
        ("b BETWEEN :t AND :u", True),
        ("b IN (:u, :t)", True),
        ("begins_with(b, :t)", True),
        ("size(s) < :two", False),
        ("c = :n OR a > :n AND b = :u", False),  # AND binds closer
        ("(b = :t OR c = :n) AND a > :n", True),
    ],
)
def test_a_condition_means_what_dynamodb_means_by_it(text: str, *, holds: bool) -> None:
    assert condition(text).holds(ITEM, Scope({}, VALUES)) is holds


@pytest.mark.parametrize(
    "text", ["contains(b, :t)", "a.b = :n", "a[0] = :n", "a =", "attribute_type(a, :t)", "a == :n"]
)
def test_a_condition_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        condition(text)


@pytest.mark.parametrize("text", ["", "PUT a = :n", "SET a = :n SET b = :t", "SET a :n", "SET a.b = :n", "REMOVE a b"])
def test_an_update_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        update(text)


def test_an_update_reads_every_value_from_the_item_as_it_was() -> None:
    text = "SET a = a + :n, c = if_not_exists(c, :t), d = a REMOVE b ADD e :n DELETE s :p"
    assert update(text).applied(ITEM, Scope({}, VALUES)) == {
        "a": {"N": "19"},
        "c": {"S": "x"},
        "d": {"N": "10"},
        "e": {"N": "9"},
        "s": {"SS": ["q"]},
    }


@pytest.mark.parametrize("text", ["a > :n", "a = :n AND b <> :t", "a = :n OR b = :t", "a = :n AND b = :t AND c = :u"])
def test_a_key_condition_that_dynamodb_does_not_take_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        keys(text)


@pytest.mark.parametrize(
    "given",
    [
        {"ConditionExpression": "attribute_exists(#x)"},
        {"ExpressionAttributeValues": {":unused": {"S": "x"}}},
        {"Expected": {}},
    ],
)
def test_a_call_with_what_is_not_defined_not_used_or_not_known_is_refused(given: Any) -> None:
    database = Database(now=lambda: 0.0)
    with pytest.raises(ClientError, match="ValidationException"):
        database.put_item(TableName="streamer-Tickets", Item={"ticket_hash": {"S": "h"}}, **given)
    assert not list(database.tables["streamer-Tickets"].all())
