"""What keeping the views costs: our projector against Powertools' BatchProcessor, on DynamoDB Local.

Batches of 100 stream records, five of each of 20 requests, over and over with new requests. The peer does what exact
counters take without folding a batch: per record one conditional put of the view, then one transaction of a marker and
an ADD. Both pass over the same records; a batch of ours comes first, then one of the peer's.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from botocore.exceptions import ClientError

from adapters.aws import PATIENT, QUICK
from adapters.clock import Clock
from adapters.event_store import EventStore
from adapters.quarantine import Quarantine
from adapters.view_projector import ViewProjector
from adapters.views import Views
from adapters.work_tokens import WorkTokens
from bench.folding import Record, records
from bench.results import Row
from local import dynamodb_local
from local.aws import session
from local.tables import ensure
from projections.intents import View

REQUESTS: Final = 20
OF_EACH: Final = 5
ROUNDS: Final = 4
_UNUSED: Final[Any] = None


class Queue:
    """A work queue that takes every token, and counts the calls."""

    def __init__(self) -> None:
        self.calls = 0

    def send_message_batch(self, **_: Any) -> dict[str, Any]:
        """Take them."""
        self.calls += 1
        return {}


def batches() -> list[list[Record]]:
    """The batches: the first ten events of the lives of ever new requests."""
    lives = records(REQUESTS * ROUNDS)
    made = []
    for first in range(0, len(lives), REQUESTS):
        some = lives[first : first + REQUESTS]
        made += [[one for life in some for one in life[start : start + OF_EACH]] for start in (0, OF_EACH)]
    return made


@contextmanager
def counted(client: Any) -> Iterator[list[str]]:
    """The calls that a client makes in the block."""
    calls: list[str] = []

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    client.meta.events.register("before-call.dynamodb", note, unique_id="bench")
    try:
        yield calls
    finally:
        client.meta.events.unregister("before-call.dynamodb", note, unique_id="bench")


class Peer:
    """What one would write with Powertools and a boto3 table."""

    def __init__(self, endpoint_url: str) -> None:
        self._resource: Any = session().resource("dynamodb", endpoint_url=endpoint_url, config=PATIENT)
        self._view, self._marks, self._counts = (self._table(name) for name in ("view", "marks", "counts"))
        self.client: Any = self._view.meta.client
        self._processor = BatchProcessor(event_type=EventType.DynamoDBStreams)

    def _table(self, name: str) -> Any:
        return self._resource.create_table(
            TableName=f"peer-{name}",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )

    def project(self, batch: Sequence[Record]) -> None:
        """Handle a batch."""
        answer = process_partial_response(
            event={"Records": batch}, record_handler=self._one, processor=self._processor, context=_UNUSED
        )
        assert answer == {"batchItemFailures": []}

    def _one(self, record: DynamoDBRecord) -> None:
        change: Any = record.dynamodb
        event = change.new_image
        row = {"id": event["request_id"], "version": event["version"], "state": event["state"], "at": event["at"]}
        try:
            self._view.put_item(
                Item=row,
                ConditionExpression="attribute_not_exists(id) OR version < :version",
                ExpressionAttributeValues={":version": event["version"]},
            )
        except ClientError as exc:
            if exc.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
        mark = {"id": event["event_id"]}
        self.client.transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": self._marks.name,
                        "Item": mark,
                        "ConditionExpression": "attribute_not_exists(id)",
                    }
                },
                {
                    "Update": {
                        "TableName": self._counts.name,
                        "Key": {"id": f"{event['tenant_id']}#{event['at'][:16]}"},
                        "UpdateExpression": "ADD #type :one",
                        "ExpressionAttributeNames": {"#type": event["type"]},
                        "ExpressionAttributeValues": {":one": 1},
                    }
                },
            ]
        )


def rows() -> list[Row]:
    """Events a second, and calls an event."""
    made = batches()
    events = sum(map(len, made[1:]))
    with TemporaryDirectory() as name, dynamodb_local.running(Path(name)) as endpoint_url:
        client: Any = session().client("dynamodb", endpoint_url=endpoint_url, config=QUICK)
        names = ensure(client, "bench", time_to_live=False)
        tables = {view: names[view.value] for view in View}
        queue: Any = Queue()
        store = EventStore(client, names["Events"])
        projector = ViewProjector(
            store, Views(client, tables), WorkTokens(queue, "queue"), Quarantine(_UNUSED), Clock(), 4
        )
        peer = Peer(endpoint_url)
        ours_s = peer_s = 0.0
        with counted(client) as ours, counted(peer.client) as theirs:
            for place, batch in enumerate(made):
                if place == 1:  # the first one warms up
                    ours_s = peer_s = 0.0
                    ours.clear()
                    theirs.clear()
                    queue.calls = 0
                started = time.perf_counter()
                outcome = projector.project(batch)
                assert outcome.error is None
                assert not outcome.not_handled
                between = time.perf_counter()
                peer.project(batch)
                ours_s += between - started
                peer_s += time.perf_counter() - between
            calls = len(ours) + queue.calls
    return [
        Row("project_views, batches of 100 records", events / ours_s, events / peer_s, "events/s", "ratio >= 8"),
        Row("AWS calls of project_views", calls / events, len(theirs) / events, "calls an event", "ours <= 0.1"),
    ]
