"""The stack's tables, buckets and queue, made as template.yaml has them.

`on_moto()` makes all of it in this process; `make_tables(client)` makes the tables on any endpoint that speaks
DynamoDB. In a conftest: `aws = moto_fixture()`.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import _lru_cache_wrapper, cache
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from adapters import aws as clients
from local.tables import ensure
from local.template import environment, resources
from tests.kit.statements import conditional_statements

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

REGION: Final = "us-east-1"
SERVICE: Final = "streamer"
GIVEN: Final[Mapping[str, str]] = {"TokenIssuer": "tests"}
TOKEN_KEY: Final = "a-key-of-the-tests-of-32-characters!"
CREDENTIALS: Final[Mapping[str, str]] = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # else newer botocores ask for a stream at a host moto does not know
}
_FOREIGN: Final = ("AWS_", "POWERTOOLS_")


@dataclass(frozen=True, slots=True)
class Aws:
    """A stack without functions: its clients, its names, and the environment that its functions would be given."""

    dynamodb: "DynamoDBClient"
    streams: "DynamoDBStreamsClient"
    s3: "S3Client"
    sqs: "SQSClient"
    tables: Mapping[str, str]
    payload_bucket: str
    failures_bucket: str
    queue_url: str
    environment: Mapping[str, str]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table (by its short name: Events, Requests, …) in DynamoDB's form."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.tables[table], ConsistentRead=True)
        return [dict(row) for page in pages for row in page["Items"]]

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Every object of a bucket by its key."""
        listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {one["Key"]: self.s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed}

    def tokens(self) -> list[str]:
        """The bodies of the messages that the work queue has to hand out; takes them."""
        bodies: list[str] = []
        while messages := self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in messages]
        return bodies


def make_tables(client: "DynamoDBClient", prefix: str = "streamer") -> dict[str, str]:
    """Make all tables; their names by short name (Events, Requests, …). Rows stay when their time to live is over."""
    return ensure(client, prefix, time_to_live=False)


def delete_tables(client: "DynamoDBClient", names: Mapping[str, str]) -> None:
    """Remove tables that were made."""
    for name in names.values():
        client.delete_table(TableName=name)


def forget() -> None:
    """Make the handlers build their parts anew, from the environment as it is now, and log to today's stdout."""
    logging.root.manager.loggerDict.pop(SERVICE, None)
    if isinstance(clients.session, _lru_cache_wrapper):  # else on_moto has one for all
        clients.session.cache_clear()
    bootstrap = sys.modules.get("handlers.bootstrap")
    if bootstrap and bootstrap.broadcast.cache_info().currsize:
        bootstrap.broadcast().close()
    for name, module in list(sys.modules.items()):
        if name.startswith("handlers."):
            for part in vars(module).values():
                clear: Callable[[], None] | None = getattr(part, "cache_clear", None)
                if clear:
                    clear()


@contextmanager
def environment_of(variables: Mapping[str, str]) -> Iterator[None]:
    """Let this process have these variables and nothing of the user's own AWS settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    with patch.dict(os.environ, {**kept, **variables}, clear=True):
        forget()
        try:
            yield
        finally:
            forget()


@contextmanager
def on_moto(dynamodb_at: str | None = None, **variables: str) -> Iterator[Aws]:
    """A whole stack in this process, with its tables at another engine's address if there is one.

    `variables` go into the environment of the functions as well.
    """
    credentials, session = CREDENTIALS, _session()
    if dynamodb_at is not None:
        engine = {"AWS_ENDPOINT_URL_DYNAMODB": dynamodb_at, "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": dynamodb_at}
        credentials, session = {**CREDENTIALS, **engine}, _Session()
    with (
        environment_of(credentials),
        mock_aws(),
        conditional_statements(),
        patch("boto3.DEFAULT_SESSION", session),
        patch("adapters.aws.session", lambda: _Core(session)),
    ):
        dynamodb, s3, sqs = boto3.client("dynamodb"), boto3.client("s3"), boto3.client("sqs")
        tables = make_tables(dynamodb)
        buckets = {logical_id: f"streamer-{logical_id.lower()}" for logical_id in resources("AWS::S3::Bucket")}
        for bucket in buckets.values():
            s3.create_bucket(Bucket=bucket)
        queues = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in resources("AWS::SQS::Queue")}
        names = {**GIVEN, **buckets, **queues, **{f"{short}Table": name for short, name in tables.items()}}
        secret = boto3.client("secretsmanager").create_secret(Name="streamer", SecretString=TOKEN_KEY)["ARN"]
        others = {"MANAGEMENT_ENDPOINT": "http://127.0.0.1:9", "TOKEN_SECRET": secret}
        given = environment(names) | others | variables
        with environment_of({**credentials, **given}), patch("adapters.token_secret.fetched", _secret_version):
            yield Aws(
                dynamodb=dynamodb,
                streams=boto3.client("dynamodbstreams"),
                s3=s3,
                sqs=sqs,
                tables=tables,
                payload_bucket=buckets["PayloadBucket"],
                failures_bucket=buckets["FailuresBucket"],
                queue_url=queues["WorkQueue"],
                environment=given,
            )
        if dynamodb_at is not None:
            delete_tables(dynamodb, tables)


def _secret_version(arn: str, stage: str) -> str | None:
    """Secrets Manager as moto has it: it sees only what goes through botocore."""
    manager = boto3.client("secretsmanager")
    try:
        return manager.get_secret_value(SecretId=arn, VersionStage=stage)["SecretString"]
    except manager.exceptions.ResourceNotFoundException:
        return None


class _Session(boto3.Session):
    """A session that makes each client once: that takes longer than all the calls of most tests."""

    def __init__(self) -> None:
        super().__init__()
        self._clients: dict[Any, Any] = {}

    def client(self, service_name: str, *arguments: Any, **options: Any) -> Any:
        key = (service_name, arguments, tuple(sorted(options.items(), key=lambda option: option[0])))
        if key not in self._clients:
            self._clients[key] = super().client(service_name, *arguments, **options)  # type: ignore[call-overload]
        return self._clients[key]


class _Core:
    """What the functions have of a session of boto3: botocore's under it, with its clients, which check calls."""

    def __init__(self, session: boto3.Session) -> None:
        self._session = session
        self._core = session._session

    def create_client(self, name: str, config: Config, **given: Any) -> Any:
        return self._session.client(name, config=_checking(config), **given)  # type: ignore[call-overload]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)


@cache
def _checking(config: Config) -> Config:
    """The same configuration, with parameters compared with the service's model before they are sent."""
    return config.merge(Config(parameter_validation=True))


@cache
def _session() -> boto3.Session:
    """One session for all stacks in this process."""
    return _Session()


def moto_fixture(**variables: str) -> Any:
    """A fixture that gives each test a whole stack of its own, in this process."""

    @pytest.fixture
    def aws() -> Iterator[Aws]:
        with on_moto(**variables) as made:
            yield made

    return aws
