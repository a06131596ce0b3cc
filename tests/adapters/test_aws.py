"""Every client says how often it tries and how long it waits, and every error is told by its code, with its cause."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from adapters import aws as clients
from domain.errors import Gone, StreamerError, Unavailable
from local.template import PROJECT
from tests.adapters.wrapped import client_error

DEPLOYED = ("domain", "projections", "adapters", "handlers", "actions")
SHORTEST_FUNCTION_S = 10


@pytest.mark.parametrize(
    "make", [clients.dynamodb, clients.sqs, clients.s3, partial(clients.sockets, "http://127.0.0.1:9")]
)
@pytest.mark.usefixtures("aws")
def test_every_client_says_how_often_it_tries_and_how_long_it_waits(make: Callable[[], Any]) -> None:
    config = make().meta.config
    assert config.retries["mode"] == "standard"
    assert config.retries["total_max_attempts"] in (3, 4)
    assert 0 < config.connect_timeout <= 2
    assert 0 < config.read_timeout <= 20


def test_no_call_of_a_table_or_the_queue_outlasts_the_shortest_function() -> None:
    quick: Any = clients.QUICK
    tries = quick.retries["total_max_attempts"]
    assert tries * (quick.connect_timeout + quick.read_timeout) < SHORTEST_FUNCTION_S


def test_what_is_deployed_makes_no_client_elsewhere() -> None:
    made = {
        str(file.relative_to(PROJECT)): re.findall(
            r"(?:boto3\.(?:client|resource)|create_client)\((.*)\)", file.read_text()
        )
        for package in DEPLOYED
        for file in (PROJECT / package).rglob("*.py")
    }
    assert {name for name, calls in made.items() if calls} == {"adapters/aws.py"}
    assert all("config=" in call for call in made["adapters/aws.py"])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("ThrottlingException"), Unavailable),
        (client_error("GoneException"), Gone),
        (client_error("410"), Gone),
        (ClientError({"Error": {"Message": "GoneException"}}, "PutItem"), Unavailable),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), Unavailable),
    ],
)
def test_an_error_is_told_by_its_code_with_what_was_done_and_its_cause(
    error: Exception, kind: type[StreamerError]
) -> None:
    with pytest.raises(StreamerError) as caught, clients.translated("save", table="T", request_id="r-1"):
        raise error
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    told = {name: caught.value.context[name] for name in ("operation", "table", "request_id")}
    assert told == {"operation": "save", "table": "T", "request_id": "r-1"}
