"""The doctor's look at the tables: whether they are as template.yaml says."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from local.template import resources
from tools.findings import Finding

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

DEPLOY: Final = "deploy again: CloudFormation makes it what template.yaml says, unless it was changed by hand"
_INDEX: Final = "GlobalSecondaryIndexes"


def tables(client: "DynamoDBClient", names: Mapping[str, str]) -> Iterator[Finding]:
    """Look at every table of the template; `names` has their names by logical id."""
    for logical_id, expected in resources("AWS::DynamoDB::Table").items():
        about = f"table {logical_id}"
        if logical_id not in names:
            yield Finding(about, "the stack has no such table", DEPLOY)
            continue
        wrong = "; ".join(differences(client, names[logical_id], expected))
        yield Finding(about, wrong, DEPLOY if wrong else "")


def differences(client: "DynamoDBClient", name: str, expected: Mapping[str, Any]) -> Iterator[str]:
    """How a table differs from what it should be."""
    try:
        table: Mapping[str, Any] = client.describe_table(TableName=name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        yield f"there is no table {name}"
        return
    if table["TableStatus"] != "ACTIVE":
        yield f"it is {table['TableStatus']}"
    if table["KeySchema"] != expected["KeySchema"]:
        yield f"its key is {_keys(table)}, not {_keys(expected)}"
    yield from _indexes(table, expected)
    stream = table.get("StreamSpecification", {})
    wanted = expected.get("StreamSpecification", {}).get("StreamViewType")
    if wanted and not (stream.get("StreamEnabled") and stream["StreamViewType"] == wanted):
        yield f"it has no stream of {wanted}"
    ends = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    attribute = expected["TimeToLiveSpecification"]["AttributeName"]
    if ends.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"} or ends.get("AttributeName") != attribute:
        yield f"its rows do not end by {attribute}: they are kept, and paid for, for ever"
    if "PointInTimeRecoverySpecification" in expected:
        backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        if backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] != "ENABLED":
            yield "it cannot be recovered to a point in time"


def _indexes(table: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    found = {index["IndexName"]: index for index in table.get(_INDEX, ())}
    for index in expected.get(_INDEX, ()):
        name = index["IndexName"]
        there = found.pop(name, None)
        if there is None:
            yield f"it has no index {name}"
            continue
        if there.get("IndexStatus", "ACTIVE") != "ACTIVE":
            yield f"its index {name} is {there['IndexStatus']}"
        if there["KeySchema"] != index["KeySchema"]:
            yield f"the key of its index {name} is {_keys(there)}, not {_keys(index)}"
        if _projection(there) != _projection(index):
            yield f"its index {name} projects {_projection(there)}, not {_projection(index)}"
    for name in found:
        yield f"it has an index {name} that nothing uses"


def _keys(described: Mapping[str, Any]) -> str:
    return ", ".join(f"{key['AttributeName']} ({key['KeyType']})" for key in described["KeySchema"])


def _projection(index: Mapping[str, Any]) -> str:
    told = index["Projection"]
    return " ".join([told["ProjectionType"], *sorted(told.get("NonKeyAttributes", ()))])
