"""The deployed functions over tables, a bucket and a queue in memory, where nothing goes wrong below them.

It is fast: a frame takes about a millisecond. What the functions ask of DynamoDB, post, send and log is kept, and
everything can be put back as it was.
"""

import base64
import io
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, Final
from unittest.mock import patch

from adapters import aws, token_secret
from adapters.broadcast import Queue
from domain import exact_json
from domain.identity import Identity
from domain.instant import to_text
from handlers import authorize, bootstrap, connect, message, notify_subscribers, project_views, sweep, work
from tests.handlers.conftest import claims_of
from tests.handlers.tokens import KEY
from tests.kit.clock import START, FakeClock
from tests.kit.tables import GIVEN, environment_of
from tests.simulation.buckets import Buckets
from tests.simulation.database import Database
from tests.simulation.dynamodb import DynamoDB, Plain
from tests.simulation.expressions import Item
from tests.simulation.tables import Key, Table
from tests.simulation.world import ENVIRONMENT

_LIMITS: Final = ("FRAMES_PER_SECOND", "SUBMITS_PER_SECOND", "TENANT_QUEUE_DEPTH", "TENANT_CONNECTIONS")
UNLIMITED: Final = dict.fromkeys((*_LIMITS, "TENANT_CONCURRENCY"), "0")
_KEYS: Final = {"TOKEN_ISSUER": GIVEN["TokenIssuer"], "TOKEN_SECRET": "arn:of:a:secret", "TOKEN_JWKS_URL": ""}
ARN: Final = "arn:aws:execute-api:us-east-1:1:api/live/$connect"
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """What was in the house at a moment."""

    rows: Mapping[str, tuple[dict[Any, dict[Any, Item]], dict[Any, list[Any]]]]
    objects: Mapping[tuple[str, str], bytes]


@dataclass(slots=True)
class Sockets:
    """API Gateway's management API, to which every connection is open."""

    posted: list[tuple[str, str]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def post_to_connection(self, ConnectionId: str, Data: bytes) -> dict[str, Any]:  # noqa: N803
        """PostToConnection."""
        self.posted.append((ConnectionId, Data.decode()))
        return {}

    def delete_connection(self, ConnectionId: str) -> dict[str, Any]:  # noqa: N803
        """DeleteConnection."""
        self.closed.append(ConnectionId)
        return {}

    def post(self, frames: Mapping[str, Sequence[str]], until: float) -> list[Queue]:  # noqa: ARG002
        """A broadcast."""
        self.posted += [(connection_id, text) for connection_id, texts in frames.items() for text in texts]
        return [Queue(connection_id, (), status=200) for connection_id in frames]


@dataclass(slots=True)
class WorkQueue:
    """SQS, whose messages are kept."""

    sent: list[str] = field(default_factory=list)

    def send_message_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803, ARG002
        """SendMessageBatch."""
        self.sent += [entry["MessageBody"] for entry in Entries]
        return {}


class Files(Buckets):
    """S3, which also tells how many objects a bucket has."""

    def list_objects_v2(self, Bucket: str) -> dict[str, Any]:  # noqa: N803
        """ListObjectsV2."""
        return {"KeyCount": sum(bucket == Bucket for bucket, _ in self.objects)}


class Recorded(DynamoDB):
    """The client, which writes down what it is asked."""

    calls: list[tuple[str, dict[str, Any]]]

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name in {"calls", "get_paginator"} or not callable(found):
            return found

        def ask(**given: Any) -> Any:
            self.calls.append((name, given))
            return found(**given)

        return ask


class House:
    """Everything that the functions stand on, and doors to them."""

    def __init__(self) -> None:
        self.clock = FakeClock(START)
        self.records: list[Record] = []
        self.database = Database(lambda: 0.0, self._changed)
        self.dynamodb = Recorded(self.database, Plain())
        self.dynamodb.calls = []
        self.files = Files(Plain())
        self.sockets = Sockets()
        self.queue = WorkQueue()
        self.output = io.StringIO()
        self._numbers = count(10**20)

    @contextmanager
    def open(self, **variables: str) -> Iterator["House"]:
        """Put this house under the functions; all they print and log is in `output`."""
        given = {**ENVIRONMENT, **UNLIMITED, **_KEYS, **variables}
        heard = logging.StreamHandler(self.output)
        with (
            redirect_stdout(self.output),
            redirect_stderr(self.output),
            environment_of(given),
            patch.object(aws, "dynamodb", lambda: self.dynamodb),
            patch.object(aws, "sqs", lambda: self.queue),
            patch.object(aws, "s3", lambda: self.files),
            patch.object(aws, "sockets", lambda _: self.sockets),
            patch.object(bootstrap, "broadcast", lambda: self.sockets),
            patch.object(bootstrap, "CLOCK", self.clock),
            patch.object(token_secret, "fetched", lambda _, stage: KEY if stage == "AWSCURRENT" else None),
        ):
            logging.root.addHandler(heard)
            try:
                yield self
            finally:
                logging.root.removeHandler(heard)

    # --- doors -------------------------------------------------------------------------------------------------------

    def claims(self, tenant_id: str, user_id: str, *scopes: str) -> dict[str, str]:
        """What the authorizer puts into the context of a user's socket."""
        return claims_of(tenant_id, user_id, to_text(self.clock.now() + timedelta(days=1)), *scopes)

    def connected(self, connection_id: str, claims: Mapping[str, str]) -> None:
        """Open a socket."""
        about = {"connectionId": connection_id, "authorizer": claims, "identity": {"sourceIp": "192.0.2.1"}}
        assert connect.handler({"requestContext": about}, None) == {"statusCode": 200}

    def raw(self, connection_id: str, claims: Mapping[str, str], body: str | None) -> str:
        """Send any text over a socket; the text of the only answer."""
        before = len(self.sockets.posted)
        about = {"connectionId": connection_id, "messageId": "m", "requestId": "r", "authorizer": claims}
        assert message.handler({"requestContext": about, "body": body}, None) == {"statusCode": 200}
        [(to, text)] = self.sockets.posted[before:]
        assert to == connection_id
        return text

    def say(self, connection_id: str, claims: Mapping[str, str], kind: str, **fields: Any) -> dict[str, Any]:
        """Send a frame over a socket; the answer."""
        body = exact_json.encode({"type": kind, **fields})
        answer: dict[str, Any] = exact_json.decode(self.raw(connection_id, claims, body))
        return answer

    def authorize(self, headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Knock at the door of the sockets."""
        event = {"methodArn": ARN, "headers": headers, "queryStringParameters": query}
        return authorize.handler(event, None)

    def deliver(self) -> list[Record]:
        """Give both stream readers what was written since the last time, until nothing comes after it; all of it."""
        delivered: list[Record] = []
        while self.records:
            records, self.records = self.records, []
            delivered += records
            for table in sorted({record["eventSourceARN"] for record in records}):
                batch = [record for record in records if record["eventSourceARN"] == table]
                assert self.project(batch) == []
                if "-Events/" in table:
                    assert self.notify(batch) == []
        return delivered

    def project(self, records: Sequence[Record]) -> list[str]:
        """Deliver records to project_views; the numbers that it reports."""
        return _reported(project_views.handler({"Records": list(records)}, None))

    def notify(self, records: Sequence[Record]) -> list[str]:
        """Deliver records to notify_subscribers; the numbers that it reports."""
        return _reported(notify_subscribers.handler({"Records": list(records)}, None))

    def work(self, body: str) -> list[str]:
        """Deliver a token to the worker; the messages that are to come again."""
        return _reported(work.handler({"Records": [{"messageId": "m", "body": body}]}, _Invocation()))

    def work_all(self) -> None:
        """Let the worker have every token."""
        while self.queue.sent:
            bodies, self.queue.sent = self.queue.sent, []
            for body in bodies:
                self.work(body)
            self.deliver()

    def sweep(self) -> None:
        """Let the sweeper take its turn."""
        sweep.handler({}, None)

    def ticket(self, tenant_id: str, user_id: str) -> str:
        """A ticket of a user."""
        ends_at = self.clock.now() + timedelta(hours=1)
        return bootstrap.tickets().issue(Identity(tenant_id, user_id, frozenset(), ends_at), self.clock.now())

    # --- looking and putting back ------------------------------------------------------------------------------------

    def rows(self) -> Iterator[tuple[str, Key, Item]]:
        """Every row with its table and key."""
        for name, table in self.database.tables.items():
            for key, item in table.all():
                yield name, key, item

    def keep(self) -> Kept:
        """What is here now."""
        rows = {name: _copied(table.rows, table.order) for name, table in self.database.tables.items()}
        return Kept(rows, dict(self.files.objects))

    def put_back(self, kept: Kept) -> None:
        """Have what was here then, and nothing else."""
        for name, (rows, order) in kept.rows.items():
            table = self.database.tables[name]
            table.rows, table.order = _copied(rows, order)
            table.recent.clear()
        self.files.objects = dict(kept.objects)
        self.forget()

    def forget(self) -> None:
        """Let go of what was only written down."""
        for told in (self.records, self.sockets.posted, self.sockets.closed, self.queue.sent, self.dynamodb.calls):
            told.clear()
        self.output.seek(0)
        self.output.truncate()

    def _changed(self, table: Table, key: Key, before: Item | None, after: Item | None, by_expiry: bool) -> None:  # noqa: ARG002, FBT001
        if table.stream is None:
            return
        row = after or before or {}
        change: dict[str, Any] = {
            "ApproximateCreationDateTime": int(self.clock.now().timestamp()),
            "Keys": as_json({name: row[name] for name in (table.partition, table.sort) if name}),
            "SequenceNumber": str(next(self._numbers)),
            "StreamViewType": table.stream,
        }
        if after:
            change["NewImage"] = as_json(after)
        if before and table.stream == "NEW_AND_OLD_IMAGES":
            change["OldImage"] = as_json(before)
        arn = f"arn:aws:dynamodb:us-east-1:0:table/{table.name}/stream/2026"
        name = "MODIFY" if before and after else "INSERT" if after else "REMOVE"
        self.records.append({"eventName": name, "eventSourceARN": arn, "dynamodb": change})


class _Invocation:
    aws_request_id = "invocation"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def as_json(item: Item) -> dict[str, Any]:
    """An item as a stream record carries it: bytes in base64."""
    encoded = {name: {"B": base64.b64encode(value["B"]).decode()} for name, value in item.items() if "B" in value}
    return {**json.loads(json.dumps({name: value for name, value in item.items() if name not in encoded})), **encoded}


def _copied(rows: Any, order: Any) -> Any:
    return {part: dict(held) for part, held in rows.items()}, {part: list(held) for part, held in order.items()}


def _reported(answer: Mapping[str, Any]) -> list[str]:
    assert list(answer) == ["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
