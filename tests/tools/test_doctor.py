"""The doctor sees what is wrong, and says what to do about it."""

import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws
from rich.console import Console

from local.tables import ensure
from local.template import resources
from tests.kit.tables import CREDENTIALS, environment_of
from tools import doctor as doctors
from tools.doctor import doctor, examine, skew
from tools.doctor_tables import tables
from tools.findings import Finding

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 22, 8, 24, 41, 500_000, tzinfo=UTC)
DATE = "Sun, 22 Nov 2026 08:24:41 GMT"
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("off", [-6, -5, -1, 0, 1, 4, 5])
def test_a_clock_that_is_nearly_right_is_fine(off: int) -> None:
    assert skew(DATE, NOW + off * SECOND, NOW + (off + 1) * SECOND) == Finding("clock")


@pytest.mark.parametrize(("off", "told"), [(7, "6 s"), (-7, "6 s"), (3600, "3600 s"), (-3600, "3598 s")])
def test_a_clock_that_is_wrong_is_told_by_how_much(off: int, told: str) -> None:
    assert told in skew(DATE, NOW + off * SECOND, NOW + (off + 1) * SECOND).wrong


def test_a_slow_answer_is_no_wrong_clock() -> None:
    assert not skew(DATE, NOW - 60 * SECOND, NOW + 60 * SECOND).wrong


def test_an_answer_without_a_date_is_told() -> None:
    assert skew(None, NOW, NOW).wrong


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    with environment_of(CREDENTIALS), mock_aws():
        yield boto3.client("dynamodb")


@pytest.fixture
def names(dynamodb: "DynamoDBClient") -> Mapping[str, str]:
    """Tables as template.yaml says."""
    made = {f"{short}Table": name for short, name in ensure(dynamodb, "world").items()}
    for logical_id, table in resources("AWS::DynamoDB::Table").items():
        if recovery := table.get("PointInTimeRecoverySpecification"):
            dynamodb.update_continuous_backups(TableName=made[logical_id], PointInTimeRecoverySpecification=recovery)
    return made


def wrong(dynamodb: "DynamoDBClient", names: Mapping[str, str]) -> dict[str, str]:
    return {one.about.partition(" ")[2]: one.wrong for one in tables(dynamodb, names) if one.wrong}


def test_tables_as_the_template_has_them_are_fine(dynamodb: "DynamoDBClient", names: Mapping[str, str]) -> None:
    assert wrong(dynamodb, names) == {}
    assert len(list(tables(dynamodb, names))) == len(names)


def _no_ttl(client: Any, name: str) -> None:
    client.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": False}
    )


def _no_recovery(client: Any, name: str) -> None:
    off = {"PointInTimeRecoveryEnabled": False}
    client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=off)


def _another_key(client: Any, name: str) -> None:
    client.delete_table(TableName=name)
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "other", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "other", "KeyType": "HASH"}],
    )


def _no_index(client: Any, name: str) -> None:
    client.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "QueueIndex"}}])


def _own_index(client: Any, name: str) -> None:
    index = {
        "IndexName": "Mine",
        "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    client.update_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "status", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )


def _narrow_index(client: Any, name: str) -> None:
    described = client.describe_table(TableName=name)["Table"]
    index = next(one for one in described["GlobalSecondaryIndexes"] if one["IndexName"] == "StatusIndex")
    client.update_table(TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "StatusIndex"}}])
    made = {"IndexName": "StatusIndex", "KeySchema": index["KeySchema"], "Projection": {"ProjectionType": "ALL"}}
    client.update_table(
        TableName=name,
        AttributeDefinitions=described["AttributeDefinitions"],
        GlobalSecondaryIndexUpdates=[{"Create": made}],
    )


def _no_stream(client: Any, name: str) -> None:
    client.update_table(TableName=name, StreamSpecification={"StreamEnabled": False})


DAMAGES: Mapping[str, tuple[str, Callable[[Any, str], None], str]] = {
    "gone": ("Tickets", lambda client, name: client.delete_table(TableName=name), "there is no table"),
    "rows for ever": ("Audit", _no_ttl, "do not end by expires_at"),
    "no recovery": ("Events", _no_recovery, "cannot be recovered"),
    "another key": ("Tickets", _another_key, "its key is other (HASH), not ticket_hash (HASH)"),
    "no index": ("Requests", _no_index, "no index QueueIndex"),
    "an index of somebody": ("Requests", _own_index, "an index Mine that nothing uses"),
    "an index of everything": ("Requests", _narrow_index, "its index StatusIndex projects ALL, not INCLUDE"),
    "no stream": ("Connections", _no_stream, "no stream of NEW_AND_OLD_IMAGES"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_wrong_with_a_table_is_told(dynamodb: "DynamoDBClient", names: Mapping[str, str], damage: str) -> None:
    short, do, told = DAMAGES[damage]
    do(dynamodb, names[f"{short}Table"])
    found = wrong(dynamodb, names)
    assert list(found) == [f"{short}Table"]
    assert told in found[f"{short}Table"]


def test_a_table_that_the_stack_lacks_is_told(dynamodb: "DynamoDBClient", names: Mapping[str, str]) -> None:
    assert list(wrong(dynamodb, {name: made for name, made in names.items() if name != "LimitsTable"})) == [
        "LimitsTable"
    ]


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"State": "Active", "LastUpdateStatus": "Successful"}, ""),
        ({"State": "Failed", "StateReason": "no layer"}, "it is Failed: no layer"),
        ({"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "too large"}, "too large"),
        ({"Environment": {"Variables": {"TOKEN_SECRET": "", "TOKEN_JWKS_URL": ""}}}, "no key"),
        ({"Environment": {"Variables": {"TOKEN_SECRET": "", "TOKEN_JWKS_URL": "https://issuer"}}}, ""),
        ({"Environment": {"Variables": {"TOKEN_SECRET": "arn", "TOKEN_JWKS_URL": ""}}}, ""),
    ],
)
def test_a_function_that_cannot_run_is_told(made: Mapping[str, Any], told: str) -> None:
    found, do = doctors._ailing(made)
    assert told in found
    assert bool(found) == bool(told) == bool(do)


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"State": "Enabled", "LastProcessingResult": "OK"}, ""),
        ({"State": "Enabled", "LastProcessingResult": "No records processed"}, ""),
        ({"State": "Enabled"}, ""),
        ({"State": "Disabled"}, "it is Disabled"),
        ({"State": "Enabled", "LastProcessingResult": "PROBLEM: Function call failed"}, "PROBLEM"),
    ],
)
def test_a_mapping_that_wakes_nobody_is_told(mapping: Mapping[str, Any], told: str) -> None:
    found, do = doctors._mapping_ails(mapping)
    assert told in found
    assert bool(found) == bool(told) == bool(do)


def _throttled(_: Any) -> Iterator[Finding]:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Describe")


def _unreachable(_: Any) -> Iterator[Finding]:
    raise EndpointConnectionError(endpoint_url="https://made.up")


def _unknown(stack: Any) -> Iterator[Finding]:
    yield Finding("one", stack.resources["WorkQueue"])


class Nothing:
    """A stack without resources."""

    resources: Mapping[str, str] = {}


@pytest.mark.parametrize(
    ("check", "told"), [(_throttled, "AccessDenied"), (_unreachable, "made.up"), (_unknown, "WorkQueue")]
)
def test_a_check_that_cannot_be_made_is_told_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, check: Any, told: str
) -> None:
    monkeypatch.setattr(doctors, "CHECKS", (check, lambda _: iter([Finding("two")])))
    stack: Any = Nothing()
    first, second = examine(stack)
    assert told in first.wrong
    assert first.do
    assert second == Finding("two")


@pytest.mark.parametrize(
    ("findings", "code"), [([Finding("one")], 0), ([Finding("one"), Finding("two", "bad", "mend")], 1)]
)
def test_the_exit_code_says_whether_anything_is_wrong(
    monkeypatch: pytest.MonkeyPatch, findings: list[Finding], code: int
) -> None:
    monkeypatch.setattr(doctors, "CHECKS", (lambda _: iter(findings),))
    stack: Any = Nothing()
    said = io.StringIO()
    assert doctor(stack, Console(file=said)) == code
    assert ("bad" in said.getvalue() and "mend" in said.getvalue()) == bool(code)
    assert "one" not in said.getvalue()
    assert doctor(stack, Console(file=said), everything=True) == code
    assert "one" in said.getvalue()
