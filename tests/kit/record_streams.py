"""Records the stream records of all stories as JSON: `python -m tests.kit.record_streams moto|ministack`.

The emulator makes them, nobody writes them by hand; look at the difference before committing it.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import boto3

from local import stack
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
    with TemporaryDirectory() as directory, stack.running(Path(directory)) as running:
        endpoint = {**CREDENTIALS, "AWS_ENDPOINT_URL": running.endpoint_url}
        with environment_of(endpoint):
            boto3.setup_default_session()
            dynamodb = boto3.client("dynamodb")
            tables = make_tables(dynamodb)
            buckets = {"PayloadBucket": running.bucket, "FailuresBucket": running.bucket}
            queues = {"WorkQueue": running.queue_url}
            names = {**GIVEN, **buckets, **queues, **{f"{short}Table": name for short, name in tables.items()}}
            given = environment(names)
            aws = Aws(
                dynamodb=dynamodb,
                streams=boto3.client("dynamodbstreams"),
                s3=boto3.client("s3"),
                sqs=boto3.client("sqs"),
                tables=tables,
                payload_bucket=running.bucket,
                failures_bucket=running.bucket,
                queue_url=running.queue_url,
                environment=given,
            )
            yield World(aws, FakeClock())
            delete_tables(dynamodb, tables)


def main(emulator: str) -> None:
    """Write the records of an emulator."""
    FIXTURES.mkdir(parents=True, exist_ok=True)
    with on_ministack() if emulator == "ministack" else a_world() as world:
        for name, records in tell(world).items():
            file = FIXTURES / f"{emulator}-{name.lower()}.json"
            file.write_text(json.dumps({"Records": records}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
