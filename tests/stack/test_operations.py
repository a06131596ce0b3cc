"""The stack in an operator's hands: it is looked at and mended."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from rich.console import Console

from adapters.clock import Clock
from client import StreamerClient
from client.tokens import make_token
from local.aws import session
from local.deploy import STACK_NAME
from local.stack import Stack, running
from tools.deployed import Deployed
from tools.doctor import doctor, examine
from tools.failures import redrive
from tools.operated import described


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that these tests may damage."""
    with running(tmp_path_factory.mktemp("operated"), LeaseSeconds="5") as started:
        yield started


@pytest.fixture
def seen(operated: Stack) -> Deployed:
    """The stack as the operators' commands see it."""
    return Deployed(STACK_NAME, session(), operated.endpoint_url)


@pytest.fixture
async def client(operated: Stack) -> AsyncIterator[StreamerClient]:
    token = make_token(operated, tenant="operated", user="ann", now=datetime.now(UTC))
    async with StreamerClient(operated.ws_url, token=token) as opened:
        yield opened


def wrong(stack: Deployed) -> dict[str, str]:
    return {finding.about: finding.wrong for finding in examine(stack) if finding.wrong}


@contextmanager
def disabled(stack: Deployed, reader: str) -> Iterator[None]:
    """The mappings of a function wake it no more."""
    client = stack.client("lambda")
    found = client.list_event_source_mappings(FunctionName=stack.resources[reader])["EventSourceMappings"]
    for mapping in found:
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        for mapping in found:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def test_nothing_is_wrong_with_a_stack_that_was_just_deployed(seen: Deployed) -> None:
    said = io.StringIO()
    assert doctor(seen, Console(file=said)) == 0, said.getvalue()


def test_a_function_that_nothing_wakes_any_more_is_found(seen: Deployed) -> None:
    with disabled(seen, "NotifySubscribers"):
        assert [what for about, what in wrong(seen).items() if "NotifySubscribers" in about] == ["it is Disabled"]
    assert wrong(seen) == {}


def test_a_table_whose_rows_stay_for_ever_is_found(seen: Deployed, operated: Stack) -> None:
    dynamodb = seen.client("dynamodb")
    name = operated.tables["Tickets"]
    ends = {"AttributeName": "expires_at", "Enabled": False}
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=ends)
    assert list(wrong(seen)) == ["table TicketsTable"]
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification={**ends, "Enabled": True})
    assert wrong(seen) == {}


def test_a_dead_letter_is_found(seen: Deployed, operated: Stack) -> None:
    sqs = seen.client("sqs")
    sqs.send_message(QueueUrl=operated.dead_letter_queue_url, MessageBody="{}")
    assert wrong(seen) == {"dead letters of work": "there are 1"}
    sqs.purge_queue(QueueUrl=operated.dead_letter_queue_url)
    assert wrong(seen) == {}


async def test_a_batch_that_was_given_up_is_found_and_redriven_and_its_request_ends(
    seen: Deployed, client: StreamerClient
) -> None:
    with disabled(seen, "ProjectViews"):
        handle = await client.submit("echo_async", {"n": 1})
        keys = {"request_id": {"S": handle.request_id}, "version": {"N": "1"}}
        stack = described(STACK_NAME, session(), seen.endpoint_url)
        arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{stack.tables['Events']}/stream/2026"
        event = {"Records": [{"eventName": "INSERT", "eventSourceARN": arn, "dynamodb": {"Keys": keys}}]}
        content = json.dumps({"DDBStreamBatchInfo": {}, "payload": json.dumps(event)}).encode()
        bucket = seen.resources["FailuresBucket"]
        seen.client("s3").put_object(Bucket=bucket, Key="aws/lambda/m/s/2026/11/22/one", Body=content)
        assert wrong(seen)["failures bucket"] == "it has 1 objects"
        done = await asyncio.to_thread(redrive, seen, stack, Clock())
        assert (done.handled, done.left) == (1, {})
        assert await handle.result() == {"n": 1}
    assert wrong(seen) == {}
