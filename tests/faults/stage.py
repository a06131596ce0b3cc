"""Where it happens: DynamoDB Local, the emulator for a queue and a bucket, a proxy before each, and sockets."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import boto3

from local import dynamodb_local, emulator
from local.template import environment
from tests.faults.mappings import VISIBILITY_S
from tests.faults.proxy import OTHERS, TABLES, Proxy, proxied
from tests.kit.sink import Sink, a_sink
from tests.kit.tables import CREDENTIALS, GIVEN, Aws, environment_of, make_tables

LEASE_S: Final = 4
SLOTS: Final = 3


@dataclass(frozen=True, slots=True)
class Stage:
    """What a run has: the engines as they are, and the proxies that the functions see of them."""

    aws: Aws
    tables: Proxy
    others: Proxy
    sink: Sink


@contextmanager
def staged(directory: Path, seed: int) -> Iterator[Stage]:
    """Start everything that functions call, with their environment in this process; it ends with the block."""
    with ExitStack() as started:
        engine = started.enter_context(dynamodb_local.running(directory))
        services = emulator.start(directory / "emulator")
        started.callback(services.stop)
        tables = started.enter_context(proxied(engine, TABLES, f"{seed}/tables", directory))
        others = started.enter_context(proxied(services.endpoint_url, OTHERS, f"{seed}/others", directory))
        sink = started.enter_context(a_sink())
        aws = _made(engine, services.endpoint_url)
        seen = {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": others.url,
            "AWS_ENDPOINT_URL_DYNAMODB": tables.url,
            "MANAGEMENT_ENDPOINT": sink.url,
        }
        started.enter_context(environment_of({**aws.environment, **seen}))
        yield Stage(aws, tables, others, sink)


def _made(engine: str, services: str) -> Aws:
    """The tables, the bucket and the queue, reached directly: what Lambda and we do does not pass the proxies."""
    with environment_of(CREDENTIALS):
        session = boto3.Session()
        dynamodb = session.client("dynamodb", endpoint_url=engine)
        s3 = session.client("s3", endpoint_url=services)
        sqs = session.client("sqs", endpoint_url=services)
        bucket = "streamer"
        s3.create_bucket(Bucket=bucket)
        queue_url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": str(VISIBILITY_S)})["QueueUrl"]
        tables = make_tables(dynamodb)
        return Aws(
            dynamodb=dynamodb,
            streams=session.client("dynamodbstreams", endpoint_url=engine),
            s3=s3,
            sqs=sqs,
            tables=tables,
            payload_bucket=bucket,
            failures_bucket=bucket,
            queue_url=queue_url,
            environment=_variables(tables, bucket, queue_url),
        )


def _variables(tables: Mapping[str, str], bucket: str, queue_url: str) -> dict[str, str]:
    names = {**GIVEN, "PayloadBucket": bucket, "FailuresBucket": bucket, "WorkQueue": queue_url}
    given = environment({**names, **{f"{short}Table": name for short, name in tables.items()}})
    return {**given, "LEASE_S": str(LEASE_S), "TENANT_CONCURRENCY": str(SLOTS)}
