"""Every table of template.yaml on any endpoint that speaks DynamoDB: `make tables ENDPOINT=http://… [PREFIX=streamer]`.

It is safe to run twice: a table that is there is left as it is, with its stream and its time to live switched on. One
with other keys or indexes stops it before anything is made or changed. On AWS itself the template makes them.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from local.aws import session
from local.errors import StackError, TableDiffers
from local.template import resources

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLES: Final = tuple(name.removesuffix("Table") for name in resources("AWS::DynamoDB::Table"))
_MADE_WITH: Final = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
_EVERY_SECOND_FOR_A_MINUTE: Final[Any] = {"Delay": 1, "MaxAttempts": 60}
Say = Callable[[str], None]


def ensure(
    client: "DynamoDBClient", prefix: str, *, time_to_live: bool = True, say: Say = lambda _: None
) -> dict[str, str]:
    """Make the tables that are not there and wait until all are active; their names by short name (Events, …).

    Errors: TableDiffers, with nothing made or changed.
    """
    names = {short: f"{prefix}-{short}" for short in TABLES}
    found = {short: _described(client, name) for short, name in names.items()}
    differences = [f"{names[short]}: {what}" for short, table in found.items() for what in _differences(short, table)]
    if differences:
        raise TableDiffers("\n".join(differences))
    for short, name in names.items():
        there = found[short]
        if there is None:
            client.create_table(TableName=name, **_creation(short))
        _wait(client, name)
        changed = [] if there is None else _switch_on_stream(client, short, name, there)
        changed += _switch_on_ttl(client, short, name) if time_to_live else []
        say(f"{name}: {'made' if there is None else ', '.join(['is there', *changed])}")
    return names


def _switch_on_stream(client: "DynamoDBClient", short: str, name: str, there: Mapping[str, Any]) -> list[str]:
    if not _stream(short) or there.get("StreamSpecification"):
        return []
    client.update_table(TableName=name, StreamSpecification=_stream(short))
    _wait(client, name)
    return ["stream switched on"]


def _wait(client: "DynamoDBClient", name: str) -> None:
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=_EVERY_SECOND_FOR_A_MINUTE)


def _described(client: "DynamoDBClient", name: str) -> Mapping[str, Any] | None:
    try:
        return client.describe_table(TableName=name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        return None


def _properties(short: str) -> Mapping[str, Any]:
    return resources("AWS::DynamoDB::Table")[f"{short}Table"]


def _creation(short: str) -> dict[str, Any]:
    properties = _properties(short)
    wanted = {name: properties[name] for name in _MADE_WITH if name in properties}
    return wanted | ({"StreamSpecification": _stream(short)} if _stream(short) else {})


def _stream(short: str) -> Any:
    wanted = _properties(short).get("StreamSpecification")
    return {"StreamEnabled": True, **wanted} if wanted else {}


def _differences(short: str, table: Mapping[str, Any] | None) -> list[str]:
    """What cannot be changed about a table that is there; nothing if it fits or is not there."""
    if table is None:
        return []
    wanted, there = _shape(_properties(short)), _shape(table)
    stream = table.get("StreamSpecification", {}).get("StreamViewType")
    if stream and stream != _stream(short).get("StreamViewType"):
        there["stream"], wanted["stream"] = stream, str(_stream(short).get("StreamViewType"))
    names = sorted(wanted.keys() | there.keys())
    pairs = ((name, there.get(name, "none"), wanted.get(name, "none")) for name in names)
    return [f"{name} is {is_}, not {should}" for name, is_, should in pairs if is_ != should]


def _shape(table: Mapping[str, Any]) -> dict[str, str]:
    """The keys of a table and the keys and contents of its indexes, as text that can be compared and read."""
    kinds = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}

    def keys(of: Mapping[str, Any]) -> str:
        ordered = sorted(of["KeySchema"], key=lambda key: str(key["KeyType"]))
        return " · ".join(f"{key['AttributeName']} ({kinds[key['AttributeName']]})" for key in ordered)

    shape = {"key": keys(table)}
    for index in table.get("GlobalSecondaryIndexes", []):
        projection = index["Projection"]
        held = " ".join([projection["ProjectionType"], *sorted(projection.get("NonKeyAttributes", []))])
        shape[index["IndexName"]] = f"{keys(index)} with {held}"
    return shape


def _switch_on_ttl(client: "DynamoDBClient", short: str, name: str) -> list[str]:
    wanted: Any = _properties(short)["TimeToLiveSpecification"]
    now = client.describe_time_to_live(TableName=name).get("TimeToLiveDescription", {})
    if now.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
        return []
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=wanted)
    return ["time to live switched on"]


def main(arguments: list[str] | None = None) -> int:
    """Make the tables as the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.tables", description=__doc__)
    parser.add_argument("endpoint", help="the address of an emulator, for example http://127.0.0.1:8000")
    parser.add_argument("--prefix", default="streamer", help="what the tables' names start with")
    given = parser.parse_args(arguments)
    try:
        ensure(session().client("dynamodb", endpoint_url=given.endpoint), given.prefix, say=print)
    except (StackError, ClientError, BotoCoreError, ValueError) as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
