"""The tables can be made anywhere and any number of times, and nothing that differs is ever touched."""

from collections.abc import Iterator
from typing import Any

import pytest

from local import emulator, tables
from local.aws import session
from local.errors import TableDiffers
from local.template import resources

WRONG_KEY = {
    "KeySchema": [{"AttributeName": "request_id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "request_id", "AttributeType": "S"}],
}


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    started = emulator.start(tmp_path_factory.mktemp("emulator"))
    yield started.endpoint_url
    started.stop()


@pytest.fixture
def dynamodb(endpoint: str) -> Iterator[Any]:
    client = session().client("dynamodb", endpoint_url=endpoint)
    yield client
    for name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)


def wanted(short: str) -> dict[str, Any]:
    """What a table is made with."""
    made_with = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")
    properties = resources("AWS::DynamoDB::Table")[f"{short}Table"]
    return {name: properties[name] for name in made_with if name in properties}


def test_every_table_of_the_template_is_made_with_its_stream_and_time_to_live(dynamodb: Any) -> None:
    names = tables.ensure(dynamodb, "any")
    assert sorted(names.values()) == sorted(dynamodb.list_tables()["TableNames"])
    for short, name in names.items():
        properties = resources("AWS::DynamoDB::Table")[f"{short}Table"]
        made = dynamodb.describe_table(TableName=name)["Table"]
        assert made["TableStatus"] == "ACTIVE"
        assert made["KeySchema"] == properties["KeySchema"]
        indexes = {index["IndexName"] for index in made.get("GlobalSecondaryIndexes", [])}
        assert indexes == {index["IndexName"] for index in properties.get("GlobalSecondaryIndexes", [])}
        stream = made.get("StreamSpecification", {}).get("StreamViewType")
        assert stream == properties.get("StreamSpecification", {}).get("StreamViewType")
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        wanted = properties["TimeToLiveSpecification"]["AttributeName"]
        assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", wanted)


def test_a_second_run_changes_nothing_and_says_so(
    endpoint: str, dynamodb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tables.main([endpoint, "--prefix", "mine"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"mine-{short}: made" for short in tables.TABLES]
    dynamodb.put_item(TableName="mine-Tickets", Item={"ticket_hash": {"S": "kept"}})
    assert tables.main([endpoint, "--prefix", "mine"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"mine-{short}: is there" for short in tables.TABLES]
    assert dynamodb.scan(TableName="mine-Tickets")["Count"] == 1


def test_a_table_without_its_stream_and_time_to_live_gets_them(endpoint: str, dynamodb: Any, capsys: Any) -> None:
    dynamodb.create_table(TableName="streamer-Events", **wanted("Events"))
    assert tables.main([endpoint]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "streamer-Events: is there, stream switched on, time to live switched on" in told
    made = dynamodb.describe_table(TableName="streamer-Events")["Table"]
    assert made["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}


def test_a_table_with_another_key_is_refused_and_nothing_is_made(
    endpoint: str, dynamodb: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    dynamodb.create_table(TableName="streamer-Events", BillingMode="PAY_PER_REQUEST", **WRONG_KEY)
    assert tables.main([endpoint]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "streamer-Events: key is request_id (S), not request_id (S) · version (N)\n"
    assert dynamodb.list_tables()["TableNames"] == ["streamer-Events"]


@pytest.mark.parametrize("change", ["no index", "other projection", "other stream"])
def test_a_table_with_other_indexes_or_another_stream_is_refused(dynamodb: Any, change: str) -> None:
    made = wanted("Connections")
    first, second = made["GlobalSecondaryIndexes"]
    match change:
        case "no index":
            made["GlobalSecondaryIndexes"] = [first]
            made["AttributeDefinitions"] = [
                one for one in made["AttributeDefinitions"] if one["AttributeName"] != "tenant_id"
            ]
            expected = "TenantIndex is none, not tenant_id (S) · connection_id (S) with ALL"
        case "other projection":
            made["GlobalSecondaryIndexes"] = [first, {**second, "Projection": {"ProjectionType": "KEYS_ONLY"}}]
            expected = (
                "TenantIndex is tenant_id (S) · connection_id (S) with KEYS_ONLY, "
                "not tenant_id (S) · connection_id (S) with ALL"
            )
        case _:
            made["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
            expected = "stream is KEYS_ONLY, not NEW_AND_OLD_IMAGES"
    dynamodb.create_table(TableName="streamer-Connections", **made)
    with pytest.raises(TableDiffers) as caught:
        tables.ensure(dynamodb, "streamer")
    assert str(caught.value) == f"streamer-Connections: {expected}"
    assert dynamodb.list_tables()["TableNames"] == ["streamer-Connections"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "nonsense"])
def test_where_nobody_answers_it_says_so_and_fails(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tables.main([address]) == 1
    assert address in capsys.readouterr().err
