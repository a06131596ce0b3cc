"""The console's files come to the bucket of a deployed stack, and nothing else stays there."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from local.console import FILES
from tools.publish_console import main, outputs_of, publish

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OUTPUTS = {
    "ConsoleBucket": "console",
    "ConsoleUrl": "https://d1.cloudfront.net",
    "WebSocketUrl": "wss://api.execute-api.eu-central-1.amazonaws.com/live",
    "TicketUrl": "https://id.lambda-url.eu-central-1.on.aws/",
}


@pytest.fixture
def s3() -> Iterator["S3Client"]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="console")
        yield client


def names(s3: "S3Client") -> set[str]:
    return {there["Key"] for there in s3.list_objects_v2(Bucket="console").get("Contents", ())}


def test_every_file_is_uploaded_as_what_it_is_and_the_page_last(s3: "S3Client") -> None:
    said: list[str] = []
    publish(s3, OUTPUTS, said.append)
    publish(s3, OUTPUTS)
    files = {file.name for file in FILES.iterdir() if not file.name.endswith(".d.ts")}
    assert names(s3) == files | {"config.json"}
    assert said[-1] == "index.html"
    kinds = {name: s3.head_object(Bucket="console", Key=name) for name in ("index.html", "streamer.js", "console.css")}
    assert {name: kind["ContentType"].partition(";")[0] for name, kind in kinds.items()} == {
        "index.html": "text/html",
        "streamer.js": "text/javascript",
        "console.css": "text/css",
    }
    assert {kind["CacheControl"] for kind in kinds.values()} == {"no-cache"}


def test_the_page_is_told_where_its_stack_is_and_nothing_more(s3: "S3Client") -> None:
    publish(s3, OUTPUTS)
    config = s3.get_object(Bucket="console", Key="config.json")["Body"].read().decode()
    assert config == f'{{"ws_url": "{OUTPUTS["WebSocketUrl"]}", "ticket_url": "{OUTPUTS["TicketUrl"]}"}}'


def test_what_an_older_release_left_is_removed(s3: "S3Client") -> None:
    s3.put_object(Bucket="console", Key="old.js", Body=b"1")
    publish(s3, OUTPUTS)
    assert "old.js" not in names(s3)


def described(outputs: dict[str, str]) -> Any:
    client = boto3.client("cloudformation", region_name="us-east-1")
    stub = Stubber(client)
    stack = {
        "StackName": "streamer",
        "CreationTime": "2026-01-01",
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
    }
    stub.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": "streamer"})
    stub.activate()
    return client


def test_the_stack_tells_where_its_console_is() -> None:
    assert outputs_of(described(OUTPUTS), "streamer") == OUTPUTS


def test_a_stack_without_a_console_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    client = described({"WebSocketUrl": "wss://x"})
    monkeypatch.setattr(boto3, "Session", lambda **_: SimpleNamespace(client=lambda _: client))
    assert main(["streamer"]) == 1
    assert "Console=true" in capsys.readouterr().err


def test_a_profile_that_there_is_not_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nope")
    assert main(["streamer"]) == 1
    assert "The config profile (nope) could not be found" in capsys.readouterr().err
