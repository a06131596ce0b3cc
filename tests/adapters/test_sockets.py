"""A closed socket is gone, whatever else API Gateway says is an outage; so with the bucket and the queue."""

from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from adapters.objects import Objects
from adapters.websocket import Sockets
from adapters.work_tokens import LONGEST_DELAY_S, WorkTokens, wake_of
from domain.errors import Gone, NotFound, Unavailable
from domain.instant import to_text
from projections.intents import Wake
from projections.turns import Turn
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import START
from tests.kit.tables import Aws


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("GoneException", Gone),
        ("410", Gone),
        ("LimitExceededException", Unavailable),
        ("PayloadTooLargeException", Unavailable),
        ("ForbiddenException", Unavailable),
        ("BadRequestException", Unavailable),
        ("InternalServerError", Unavailable),
    ],
)
def test_a_socket_is_told_gone_from_unavailable_by_the_code(aws: Aws, code: str, kind: type[Exception]) -> None:
    assert aws.tables
    client = boto3.client("apigatewaymanagementapi", endpoint_url="http://127.0.0.1:9")
    with Stubber(client) as stub:
        stub.add_client_error("post_to_connection", code)
        with pytest.raises(kind):
            Sockets(client).post("c1", "é")
        stub.add_client_error("delete_connection", code)
        with pytest.raises(kind):
            Sockets(client).close("c1")


def test_a_frame_is_posted_as_utf_8(aws: Aws) -> None:
    assert aws.tables
    client = boto3.client("apigatewaymanagementapi", endpoint_url="http://127.0.0.1:9")
    with Stubber(client) as stub:
        stub.add_response("post_to_connection", {}, {"ConnectionId": "c1", "Data": "é".encode()})
        Sockets(client).post("c1", "é")


def test_an_object_that_is_not_there_is_told_as_such(objects: Objects, aws: Aws) -> None:
    with pytest.raises(NotFound):
        objects.read("acme/ann/missing")
    client: Any = Wrapped(aws.s3)
    client.fail("get_object", client_error("SlowDown"))
    with pytest.raises(Unavailable):
        Objects(lambda: client, aws.payload_bucket).read("acme/ann/missing")


def test_a_token_is_delayed_until_its_request_is_due_and_left_to_the_sweeper_above_the_limit(
    tokens: WorkTokens, sqs: Wrapped
) -> None:
    delays = [-5, 0, 0.001, 1, 59.5, LONGEST_DELAY_S, LONGEST_DELAY_S + 0.001]
    wakes = [Wake(f"r{delay}", Turn("acme", 5, to_text(START + timedelta(seconds=delay)))) for delay in delays]
    assert tokens.send(wakes, START) == 6
    entries = [entry for _, call in sqs.calls for entry in call["Entries"]]
    assert [entry["DelaySeconds"] for entry in entries] == [0, 0, 1, 1, 60, 900]
    assert [wake_of(entry["MessageBody"]) for entry in entries] == wakes[:6]
    assert wake_of("x") is None


def test_tokens_that_the_queue_refuses_are_an_outage(aws: Aws) -> None:
    assert aws.tables
    client = boto3.client("sqs")
    with Stubber(client) as stub:
        failed = {"Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}], "Successful": []}
        stub.add_response("send_message_batch", failed)
        with pytest.raises(Unavailable):
            WorkTokens(client, aws.queue_url).send([Wake("r1", Turn("acme", 5, to_text(START)))], START)
