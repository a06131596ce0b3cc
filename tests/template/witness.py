"""Who of the functions asked AWS for what, and which figures it told: written down while a scenario runs on moto.

allowed   (IAM action, resource) as the policies in template.yaml name them: Events, Requests/index/QueueIndex,
          PayloadBucket/*, WorkQueue, WebSocketApi/POST, ...
figures   the metrics that a function has told in CloudWatch's embedded format
lines     what it has logged
modules   those of ours that ran for it
"""

import io
import json
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final
from unittest.mock import patch

from botocore.exceptions import ClientError

from adapters.objects import Objects
from local.partiql import update_item
from tests.kit.calls import Call, Make, watched
from tests.kit.tables import Aws

Permission = tuple[str, str]
_OURS: Final = ("domain.", "projections.", "adapters.", "handlers.", "actions.")
_MISSING: Final = frozenset({"NoSuchKey", "404"})
_TRANSACTED: Final = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
_OBJECTS: Final = {
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
}


@dataclass(slots=True)
class Witness:
    """Writes down what each function does."""

    aws: Aws
    allowed: dict[str, set[Permission]] = field(default_factory=lambda: defaultdict(set))
    figures: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    lines: dict[str, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    modules: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    frames: set[str] = field(default_factory=set)  # types of those that were sent
    _said: io.StringIO = field(default_factory=io.StringIO)

    @contextmanager
    def of(self, function: str) -> Iterator[None]:
        """What is done in this block is done by this function."""
        with ExitStack() as stack:

            def asked(call: Call, make: Make) -> Any:
                self.allowed[function].update(self._needed(call))
                try:
                    with _unwatched():  # what AWS does is none of ours, and most of all calls
                        return make()
                except ClientError as exc:
                    if call.operation == "GetObject" and exc.response["Error"]["Code"] in _MISSING:
                        # Without this permission, S3 answers that it is forbidden, not that there is nothing.
                        self.allowed[function].add(("s3:ListBucket", self._bucket(call.arguments)))
                    raise

            def link(_: Objects, key: str) -> str:
                self.allowed[function].add(("s3:GetObject", "PayloadBucket/*"))
                return f"https://made.up/{key}"

            stack.enter_context(watched(asked))
            stack.enter_context(_running(self.modules[function]))
            stack.enter_context(patch.object(Objects, "link", link))
            stack.enter_context(redirect_stdout(self._said))
            start = self._said.tell()
            try:
                yield
            finally:
                self._said.seek(start)
                for line in self._said.read().splitlines():
                    self._heard(function, line)

    def socket(self, function: str, method: str) -> None:
        """A call of API Gateway's management API: some of them do not go through botocore."""
        self.allowed[function].add(("execute-api:ManageConnections", f"WebSocketApi/{method}"))

    def _heard(self, function: str, line: str) -> None:
        told = json.loads(line)
        if "_aws" not in told:
            self.lines[function].append(told)
            return
        for directive in told["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "Streamer"
            if ["service"] in directive["Dimensions"]:
                self.figures[function].update(metric["Name"] for metric in directive["Metrics"])

    def _needed(self, call: Call) -> Iterator[Permission]:
        """The permissions that a call needs; an operation that is not known here is an error."""
        given = call.arguments
        match call.operation:
            case "TransactWriteItems":
                for write in given["TransactItems"]:
                    for kind, about in write.items():
                        yield _TRANSACTED[kind], self._table(about["TableName"])
            case "BatchGetItem" | "BatchWriteItem":
                for table in given["RequestItems"]:
                    yield f"dynamodb:{call.operation}", self._table(table)
            case "BatchExecuteStatement":
                for one in given["Statements"]:
                    yield "dynamodb:PartiQLUpdate", self._table(update_item(one, frozenset())["TableName"])
            case "Query" | "Scan" | "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem":
                index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
                yield f"dynamodb:{call.operation}", self._table(given["TableName"]) + index
            case "GetObject" | "HeadObject" | "PutObject" | "DeleteObject":
                yield _OBJECTS[call.operation], f"{self._bucket(given)}/*"
            case "ListObjectsV2":
                yield "s3:ListBucket", self._bucket(given)
            case "SendMessage" | "SendMessageBatch":
                assert given["QueueUrl"] == self.aws.queue_url
                yield "sqs:SendMessage", "WorkQueue"
            case "GetSecretValue":
                yield "secretsmanager:GetSecretValue", "TokenSecret"
            case _:
                raise AssertionError(f"which permission is this? {call.operation}")

    def _table(self, name: str) -> str:
        (short,) = (short for short, known in self.aws.tables.items() if known == name)
        return f"{short}Table"

    def _bucket(self, given: Mapping[str, Any]) -> str:
        buckets = {self.aws.payload_bucket: "PayloadBucket", self.aws.failures_bucket: "FailuresBucket"}
        return buckets[given["Bucket"]]


@contextmanager
def _running(modules: set[str]) -> Iterator[None]:
    """Write down of which of our modules code is called in the block, here or in a thread that is started there."""
    seen: set[str] = set()  # files: this is called for every call there is, so it must be quick

    def called(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename not in seen:
            seen.add(frame.f_code.co_filename)
            name = frame.f_globals.get("__name__", "")
            if name.startswith(_OURS):
                modules.add(name)

    sys.setprofile(called)
    threading.setprofile(called)
    try:
        yield
    finally:
        threading.setprofile(None)
        sys.setprofile(None)


@contextmanager
def _unwatched() -> Iterator[None]:
    called = sys.getprofile()
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.setprofile(called)
