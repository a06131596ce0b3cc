"""Two stacks of one account and Region: neither knows the other, and what one kept outlives it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from client import StreamerClient
from client.tokens import make_token
from local.aws import session
from local.deploy import Token, deploy
from local.stack import Stack
from local.template import template
from tools.deployed import Deployed
from tools.doctor import examine

OTHER = "streamer-other"


def beside(stack: Stack, directory: Path) -> Stack:
    """A second stack on the same emulator."""
    (directory / "log").mkdir()
    token = Token(stack.token_key, stack.issuer, stack.audience)
    outputs = deploy(directory, stack.endpoint_url, token, {"LeaseSeconds": "5"}, OTHER)
    address, _, _ = stack.ws_url.partition("/_aws/")
    tables = {name: outputs[f"{name}Table"] for name in stack.tables}
    return replace(stack, ws_url=f"{address}/_aws/execute-api/{outputs['WebSocketApiId']}/live", tables=tables)


async def asked(stack: Stack, payload: str) -> str:
    """A request's id; it was answered."""
    token = make_token(stack, tenant="acme", user="ann", now=datetime.now(UTC))
    async with StreamerClient(stack.ws_url, token=token) as client:
        handle = await client.submit("echo_async", payload)
        assert await handle.result() == payload
        return handle.request_id


async def test_two_stacks_stand_side_by_side_and_what_one_kept_outlives_it(stack: Stack, tmp_path: Path) -> None:
    other = beside(stack, tmp_path)
    seen = Deployed(OTHER, session(), stack.endpoint_url)
    assert not [finding for finding in examine(seen) if finding.wrong]
    assert not set(stack.tables.values()) & set(other.tables.values())
    here, there = await asked(stack, "here"), await asked(other, "there")
    dynamodb = seen.client("dynamodb")

    def logged(log: str, request_id: str) -> int:
        count: int = dynamodb.query(
            TableName=log,
            KeyConditionExpression="request_id = :id",
            ExpressionAttributeValues={":id": {"S": request_id}},
        )["Count"]
        return count

    assert logged(stack.tables["Events"], here)
    assert logged(other.tables["Events"], there)
    assert not logged(stack.tables["Events"], there)
    assert not logged(other.tables["Events"], here)

    names = {name: seen.resources[name] for name in seen.resources}
    cloudformation = seen.client("cloudformation")
    cloudformation.delete_stack(StackName=OTHER)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=OTHER, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    kept = {name for name, made in template()["Resources"].items() if made.get("DeletionPolicy", "Delete") != "Delete"}
    assert kept & names.keys() == {"EventsTable", "AuditTable", "PayloadBucket", "FailuresBucket"}
    left = {name for name in dynamodb.list_tables()["TableNames"] if name in other.tables.values()}
    assert left == {names["EventsTable"], names["AuditTable"]}
    buckets = {bucket["Name"] for bucket in seen.client("s3").list_buckets()["Buckets"]}
    assert {names["PayloadBucket"], names["FailuresBucket"]} <= buckets
    assert logged(names["EventsTable"], there), "the log is as it was"
    assert await asked(stack, "still here")
