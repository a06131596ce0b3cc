"""Records the stream records of all stories as JSON.

`python -m tests.kit.record_streams moto|ministack|dynamodb-local` writes them into tests/fixtures/aws.

The emulator makes them, nobody writes them by hand; look at the difference before committing it.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import boto3

from local import dynamodb_local, stack
from local.template import PROJECT, environment
from tests.kit.clock import FakeClock
from tests.kit.people import connect, watch
from tests.kit.stories import tell_all
from tests.kit.tables import CREDENTIALS, GIVEN, Aws, delete_tables, environment_of, make_tables
from tests.kit.world import World, a_world

FIXTURES: Final = PROJECT / "tests" / "fixtures" / "aws"
_STREAMS: Final = ("Events", "Connections", "Subscriptions")


def tell(world: World) -> Mapping[str, list[Mapping[str, Any]]]:
    """Let everything happen once, and read what the streams say of it."""
    for name in ("socket-1", "socket-2"):
        connect(world, name)
        watch(world, name, "tenant#acme")
    watch(world, "socket-1", "request#r-1")
    world.subscriptions.unsubscribe("request#r-1", "socket-1")
    world.connections.delete("socket-2")
    tell_all(world.requests)
    return {name: list(world.records(name)) for name in _STREAMS}


@contextmanager
def on_ministack() -> Iterator[World]:
    """A world on an emulator of its own, in tables that no function reads."""
    with (
        TemporaryDirectory() as directory,
        stack.running(Path(directory)) as running,
        _world_at(running.endpoint_url, running.bucket, running.queue_url) as world,
    ):
        yield world


@contextmanager
def on_dynamodb_local() -> Iterator[World]:
    """A world on Amazon's engine, which has tables and streams and nothing else: no story here needs more."""
    with (
        TemporaryDirectory() as directory,
        dynamodb_local.running(Path(directory)) as endpoint_url,
        _world_at(endpoint_url, "no-bucket", "http://127.0.0.1:9/no-queue") as world,
    ):
        yield world


@contextmanager
def _world_at(endpoint_url: str, bucket: str, queue_url: str) -> Iterator[World]:
    with environment_of({**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint_url}):
        boto3.setup_default_session()
        dynamodb = boto3.client("dynamodb")
        tables = make_tables(dynamodb)
        names = {**GIVEN, "PayloadBucket": bucket, "FailuresBucket": bucket, "WorkQueue": queue_url}
        aws = Aws(
            dynamodb=dynamodb,
            streams=boto3.client("dynamodbstreams"),
            s3=boto3.client("s3"),
            sqs=boto3.client("sqs"),
            tables=tables,
            payload_bucket=bucket,
            failures_bucket=bucket,
            queue_url=queue_url,
            environment=environment({**names, **{f"{short}Table": name for short, name in tables.items()}}),
        )
        yield World(aws, FakeClock())
        delete_tables(dynamodb, tables)


EMULATORS: Final[Mapping[str, Callable[[], AbstractContextManager[World]]]] = {
    "dynamodb-local": on_dynamodb_local,
    "ministack": on_ministack,
    "moto": a_world,
}


def main(emulator: str) -> None:
    """Write the records of an emulator."""
    FIXTURES.mkdir(parents=True, exist_ok=True)
    with EMULATORS[emulator]() as world:
        for name, records in tell(world).items():
            file = FIXTURES / f"{emulator}-{name.lower()}.json"
            file.write_text(json.dumps({"Records": records}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
