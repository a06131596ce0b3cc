"""What tests do to a stack on this machine behind its back: to its processes, its sweeper and its work queue."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from adapters.clock import Clock
from adapters.event_store import EventStore
from adapters.objects import Objects
from adapters.request_queue import RequestQueue
from adapters.request_view import RequestView
from local.aws import session
from local.stack import Stack
from local.template import defaults
from tests.kit.raising import raising
from tests.kit.tables import Aws

_PROC = Path("/proc")


def processes_of(stack: Stack, function: str) -> list[int]:
    """The processes that run a function: the emulator's children whose environment names it."""
    named = f"AWS_LAMBDA_FUNCTION_NAME=streamer-{function}-".encode()
    found = []
    for process in _PROC.glob("[0-9]*"):
        try:
            if _stat(process)[1] == str(stack.pid) and named in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def is_busy(worker: int) -> bool:
    """Whether a worker's process runs a request: then it has a thread that keeps the lease."""
    try:
        return int(_stat(_PROC / str(worker))[17]) > 1
    except OSError:
        return False


def has_worked(process: int) -> bool:
    """Whether a function's process has called AWS, to which it keeps a connection: so it does not just start.

    When a process ends that starts, the emulator ends all others of its function, those that start as well.
    """
    try:
        return any(str(file.readlink()).startswith("socket:") for file in (_PROC / str(process) / "fd").iterdir())
    except OSError:
        return False


def sweep(stack: Stack) -> None:
    """Have the sweeper take its turn now."""
    functions = session().client("lambda", endpoint_url=stack.endpoint_url)
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if "-Sweep-" in function["FunctionName"]:
                functions.invoke(FunctionName=function["FunctionName"])


@contextmanager
def work_paused(stack: Stack) -> Iterator[None]:
    """Hand out no tokens in the block: requests queue up."""
    functions = session().client("lambda", endpoint_url=stack.endpoint_url)
    queue = stack.queue_url.rpartition("/")[2]
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    (work,) = (one["UUID"] for one in mappings if one["EventSourceArn"].endswith(f":{queue}"))
    functions.update_event_source_mapping(UUID=work, Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=work, Enabled=True)


def aws_of(stack: Stack) -> Aws:
    """The stack's tables, bucket and queue, reached directly."""
    here = session()
    return Aws(
        dynamodb=here.client("dynamodb", endpoint_url=stack.endpoint_url),
        streams=here.client("dynamodbstreams", endpoint_url=stack.endpoint_url),
        s3=here.client("s3", endpoint_url=stack.endpoint_url),
        sqs=here.client("sqs", endpoint_url=stack.endpoint_url),
        tables=stack.tables,
        payload_bucket=stack.bucket,
        failures_bucket="",
        queue_url=stack.queue_url,
        environment={"QUEUE_SHARDS": defaults()["QueueShards"]},
    )


def queue_of(stack: Stack) -> RequestQueue:
    """The stack's requests, without a frame and a function for each: that would be a process each."""
    aws = aws_of(stack)
    view = RequestView(aws.dynamodb, aws.tables["Requests"], int(aws.environment["QUEUE_SHARDS"]), raising)
    events = EventStore(aws.dynamodb, aws.tables["Events"])
    return RequestQueue(events, view, Objects(lambda: aws.s3, aws.payload_bucket), Clock(), timedelta(days=7))


def _stat(process: Path) -> list[str]:
    """What proc(5) tells of a process, from its state on."""
    return (process / "stat").read_text().rpartition(")")[2].split()
