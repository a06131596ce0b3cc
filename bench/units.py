"""What a request's life costs DynamoDB: units of ours against the pattern of the original, on DynamoDB Local.

A life is submitted, started, ten times progress, completed, with one watcher; 13 events. Ours is what the appends, the
views, the watcher's subscription and the fan-out's look-ups consume, delivered one record or 100 at a time. Writes
of indexes are in it. What a claim reads on top is in docs/performance.md.

DynamoDB Local miscounts transactions (docs/capacity.md), so each write of one is carried out by itself and counted
twice, as AWS bills it. What it leads to in indexes is counted once: it follows when the transaction is over
(DynamoDB guide, "Amazon DynamoDB Transactions: How it works").

Counts are kept by tenant, so a batch costs less when it is about fewer of them: both are told.

The original read a row, deleted it and wrote it anew for each change of status, and made two reads and a write of the
connection for each push (docs of its code: https://github.com/pay-theory/streamer, commit 5081fce).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from adapters.aws import PATIENT
from adapters.clock import Clock
from adapters.event_store import EventStore
from adapters.fan_out import FanOut
from adapters.quarantine import Quarantine
from adapters.subscription_store import SubscriptionStore
from adapters.view_projector import ViewProjector
from adapters.views import Views
from adapters.work_tokens import WorkTokens
from bench.folding import record_of
from bench.rebuild import EVENTS_OF_A_REQUEST, log
from bench.results import Row
from bench.views import OF_EACH, REQUESTS, Queue
from domain.identity import Identity
from domain.recorded import RecordedEvent
from domain.subscription import request_topic, subscription
from local import dynamodb_local
from local.aws import session
from local.partiql import update_item
from local.tables import ensure
from projections.intents import View

_UNUSED: Final[Any] = None
PUSHES: Final = 12  # the acknowledgement, ten times progress, the completion
READS: Final = frozenset({"GetItem", "Query", "BatchGetItem"})
WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"})
Units = Counter[tuple[str, str]]  # by what they are (read, write, index) and the table


class Tallied:
    """A client that asks what each call consumes, and carries out a transaction's writes one by one."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.units: Units = Counter()
        self._times = 1
        client.meta.events.register("provide-client-params.dynamodb.*", self._ask)
        client.meta.events.register("after-call.dynamodb.*", self._note)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def transact_write_items(self, TransactItems: Sequence[Mapping[str, Any]]) -> None:  # noqa: N803 - boto3's name
        """Each write by itself, counted twice."""
        self._times = 2
        for item in TransactItems:
            for kind, arguments in item.items():
                {"Put": self._client.put_item, "Update": self._client.update_item}[kind](**arguments)
        self._times = 1

    def batch_execute_statement(self, Statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803 - likewise
        """Each update by itself: of statements DynamoDB Local tells no units."""
        for one in Statements:
            self._client.update_item(**update_item(one, frozenset({"request_id"})))
        return {"Responses": [{} for _ in Statements]}

    def _ask(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name in READS | WRITES:
            params["ReturnConsumedCapacity"] = "INDEXES"

    def _note(self, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        told = parsed.get("ConsumedCapacity", [])
        for one in told if isinstance(told, list) else [told]:
            table = one["TableName"].rpartition("-")[2]
            indexes = one.get("GlobalSecondaryIndexes", {}).values()
            on_indexes = sum((_units(index) for index in indexes), Decimal(0))
            if model.name in READS:
                self.units["read", table] += _units(one)  # type: ignore[assignment] # a Counter of decimals
            else:
                self.units["write", table] += self._times * (_units(one) - on_indexes)  # type: ignore[assignment]
                self.units["index", table] += on_indexes  # type: ignore[assignment]


class Nobody:
    """Sockets that take every frame."""

    def post(self, *_: Any, **__: Any) -> list[Any]:
        """Nothing is left."""
        return []


def ours(endpoint_url: str, at_once: int, tenants: int) -> Units:
    """What the lives of some requests consume."""
    client: Any = Tallied(session().client("dynamodb", endpoint_url=endpoint_url, config=PATIENT))
    names = ensure(client, f"ours{at_once}of{tenants}", time_to_live=False)
    clock, queue = Clock(), Queue()
    store, watches = EventStore(client, names["Events"]), SubscriptionStore(client, names["Subscriptions"])
    views = Views(client, {view: names[view.value] for view in View})
    tokens: Any = WorkTokens(queue, "queue")  # type: ignore[arg-type]
    projector = ViewProjector(store, views, tokens, Quarantine(_UNUSED), clock, 4)
    nobody: Any = Nobody()
    fan_out = FanOut(watches, _UNUSED, nobody, clock)
    lives = [log(number, clock, tenants) for number in range(REQUESTS)]
    for place, life in enumerate(lives):
        user = Identity(life[0].tenant_id, life[0].user_id, frozenset(), clock.now())
        watches.subscribe(subscription(request_topic(life[0].request_id), f"L0SM9cOFvHc{place:04}=", user, clock.now()))
    for batch in _delivered(lives, at_once):
        for event in batch:
            store.append(event)
        records = [record_of(event) for event in batch]
        outcome = projector.project(records)
        assert outcome.error is None
        fan_out.post(records)
    return client.units  # type: ignore[no-any-return]


def _delivered(lives: Sequence[Sequence[RecordedEvent]], at_once: int) -> Iterator[list[RecordedEvent]]:
    """The events in batches, five of each request after another."""
    events = [
        event
        for start in range(0, EVENTS_OF_A_REQUEST, OF_EACH)
        for life in lives
        for event in life[start : start + OF_EACH]
    ]
    for start in range(0, len(events), at_once):
        yield events[start : start + at_once]


def original(endpoint_url: str) -> Units:
    """What one life consumes as the original has it: status in the key, every attribute in every index."""
    client: Any = Tallied(session().client("dynamodb", endpoint_url=endpoint_url, config=PATIENT))
    _table(client, "original-requests", "ConnectionID CreatedAt", "Status CreatedAt")
    _table(client, "original-connections", "UserID", "TenantID")
    key = {"PK": {"S": "CONN#L0SM9cOFvHcCIhw="}, "SK": {"S": "METADATA"}}
    client.put_item(
        TableName="original-connections", Item={**key, "UserID": {"S": "user-1"}, "TenantID": {"S": "tenant-1"}}
    )
    client.units.clear()
    request: dict[str, Any] = {
        "PK": {"S": "REQ#bench-00000001"},
        "ConnectionID": {"S": "L0SM9cOFvHcCIhw="},
        "Action": {"S": "bench"},
    }
    request |= {"CreatedAt": {"S": "2026-11-22T08:24:41.120Z"}, "Payload": {"M": {"number": {"N": "1"}}}}
    row: Any = None
    for status in ("PENDING", "PROCESSING", "COMPLETED"):
        if row is not None:
            client.query(
                TableName="original-requests",
                KeyConditionExpression="PK = :key",
                ExpressionAttributeValues={":key": row["PK"]},
            )
            client.delete_item(TableName="original-requests", Key={name: row[name] for name in ("PK", "SK")})
        row = {**request, "SK": {"S": f"STATUS#{status}"}, "Status": {"S": status}}
        client.put_item(TableName="original-requests", Item=row)
    for push in range(PUSHES):
        for _ in range(2):
            client.get_item(TableName="original-connections", Key=key)
        client.update_item(
            TableName="original-connections",
            Key=key,
            UpdateExpression="SET LastPing = :now",
            ExpressionAttributeValues={":now": {"S": f"2026-11-22T08:25:{push:02}Z"}},
        )
    return client.units  # type: ignore[no-any-return]


def _table(client: Any, name: str, *indexes: str) -> None:
    keys = {"PK", "SK", *(key for index in indexes for key in index.split())}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in sorted(keys)],
        KeySchema=_key("PK SK"),
        GlobalSecondaryIndexes=[
            {"IndexName": index.split()[0], "KeySchema": _key(index), "Projection": {"ProjectionType": "ALL"}}
            for index in indexes
        ],
    )


def _key(names: str) -> list[dict[str, str]]:
    return [
        {"AttributeName": name, "KeyType": kind} for name, kind in zip(names.split(), ("HASH", "RANGE"), strict=False)
    ]


def _units(told: Mapping[str, Any]) -> Decimal:
    return Decimal(str(told["CapacityUnits"]))


def _per_event(units: Units, lives: int, *kinds: str) -> float:
    total = sum(count for (kind, _), count in units.items() if kind in kinds)
    return float(total) / lives / EVENTS_OF_A_REQUEST


def _where(units: Units, lives: int) -> str:
    """Write units an event, by table."""
    events = lives * EVENTS_OF_A_REQUEST
    parts = [
        f"{table} {'indexes ' if kind == 'index' else ''}{float(count) / events:.2f}"
        for (kind, table), count in units.most_common()
        if kind != "read" and count
    ]
    return "write units an event: " + ", ".join(parts)


def rows() -> list[Row]:
    """Units an event."""
    with TemporaryDirectory() as name, dynamodb_local.running(Path(name)) as endpoint_url:
        peer = original(endpoint_url)
        told = {asked: ours(endpoint_url, *asked) for asked in ((1, 10), (100, 10), (100, 1))}
    made = []
    for (at_once, tenants), units in told.items():
        limit = "6" if at_once == 1 else "2.5"
        name = f"batch {at_once}, {tenants} tenant{'s' if tenants > 1 else ''}"
        writes, reads = _per_event(units, REQUESTS, "write", "index"), _per_event(units, REQUESTS, "read")
        of_peer = _per_event(peer, 1, "write", "index")
        made.append(
            Row(
                f"write units of a life, {name}",
                writes,
                of_peer,
                "units an event",
                f"ours <= {limit}",
                _where(units, REQUESTS),
            )
        )
        made.append(Row(f"read units of a life, {name}", reads, _per_event(peer, 1, "read"), "units an event"))
    return made
