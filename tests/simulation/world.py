"""One history's world: the deployed functions over simulated services, put together as template.yaml says."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from actions.context import Context
from adapters import aws
from adapters.backoff import Backoff
from client.errors import ConnectionLost, ConnectRefused
from domain.errors import StreamerError, Unavailable
from domain.identity import TENANT_READ, Identity
from domain.instant import to_text
from handlers import (
    authorize,
    bootstrap,
    connect,
    disconnect,
    figures,
    message,
    notify_subscribers,
    project_views,
    sweep,
)
from handlers import work as work_handler
from local.template import environment, resources
from tests.kit.tables import environment_of
from tests.simulation import work
from tests.simulation.buckets import Buckets
from tests.simulation.database import Database
from tests.simulation.dynamodb import DynamoDB
from tests.simulation.expressions import Item
from tests.simulation.faults import Faults
from tests.simulation.gateway import Gateway, Socket
from tests.simulation.lines import broadcast
from tests.simulation.queues import Queue
from tests.simulation.streams import Entry, Reader, Settings, Stream
from tests.simulation.tables import Key, Table
from tests.simulation.time_machine import (
    Crash,
    Loop,
    Machine,
    Outcome,
    VirtualClock,
    VirtualThreads,
    at,
)
from tests.simulation.way import Network
from tests.simulation.witness import Witness

LEASE_S: Final = 10
SHARDS: Final = 2
CONCURRENCY: Final = 4
TENANT_CONCURRENCY: Final = 3
_FUNCTIONS: Final = resources("AWS::Serverless::Function")
_HANDLERS: Final[Mapping[str, Callable[..., Any]]] = {
    "Authorize": authorize.handler,
    "Connect": connect.handler,
    "Disconnect": disconnect.handler,
    "Message": message.handler,
    "NotifySubscribers": notify_subscribers.handler,
    "ProjectViews": project_views.handler,
    "Work": work_handler.handler,
    "Sweep": sweep.handler,
}
_NAMES: Final = {
    "TokenIssuer": "simulation",
    "TokenKey": "a-key-of-the-simulation-of-32-characters",
    "QueueShards": str(SHARDS),
    "LeaseSeconds": str(LEASE_S),
    "TenantConcurrency": str(TENANT_CONCURRENCY),
    **{name: f"streamer-{name.removesuffix('Table')}" for name in resources("AWS::DynamoDB::Table")},
    **{name: name for name in (*resources("AWS::S3::Bucket"), *resources("AWS::SQS::Queue"))},
}
ENVIRONMENT: Final = environment(_NAMES) | {"MANAGEMENT_ENDPOINT": "https://simulated"}


class World:
    """Everything that there is in one history."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.loop = Loop()
        self.machine = Machine(self.loop, self.rng)
        self.faults = Faults.drawn(self.rng)
        self.network = Network(self.machine, self.faults)
        self.witness = Witness(self.machine)
        self.database = Database(lambda: self.machine.now, self._changed)
        self.dynamodb = DynamoDB(self.database, self.network)
        queue = resources("AWS::SQS::Queue")["WorkQueue"]
        with self._current():
            self.queue = Queue(
                self.machine,
                self.faults,
                self.network,
                visibility_s=queue["VisibilityTimeout"],
                most_received=queue["RedrivePolicy"]["maxReceiveCount"],
            )
        self.buckets = Buckets(self.network)
        self.gateway = Gateway(self.machine, self.faults, self.network, self._frame, self._left)
        self.gateway.attempted = self.witness.posted
        self.clock = VirtualClock(self.machine)
        self.threads = VirtualThreads(self.machine)
        self.broadcast = broadcast(self.machine, self.network, self.gateway, self.clock)
        self.environment = ENVIRONMENT
        self.tasks: list[asyncio.Task[None]] = []
        self.routine: list[asyncio.Task[None]] = []  # what goes on for ever
        by_item = self.rng.random() < 0.5
        self.streams = {
            name: Stream(self.machine, self.faults, table, by_item=by_item)
            for name, table in self.database.tables.items()
            if table.stream
        }
        self.readers = dict(self._readers())
        self.sweeping = 0

    # --- running -----------------------------------------------------------------------------------------------------

    @contextmanager
    def deployed(self) -> Iterator[None]:
        """Put these services under the handlers."""
        with (
            environment_of(ENVIRONMENT),
            patch.object(aws, "dynamodb", lambda: self.dynamodb),
            patch.object(aws, "sqs", lambda: self.queue),
            patch.object(aws, "s3", lambda: self.buckets),
            patch.object(aws, "sockets", lambda _: self.gateway),
            patch.object(bootstrap, "CLOCK", self.clock),
            patch.object(bootstrap, "THREADS", self.threads),
            patch.object(bootstrap, "broadcast", lambda: self.broadcast),
            patch.object(bootstrap, "logger", lambda: self.witness.log),
            patch.object(bootstrap, "operations", _Unmeasured),
            patch.object(figures, "count", lambda *_: None),
            patch.object(work, "running", [self._acts]),
            patch.object(
                Backoff, "wait", lambda _, longest: self.machine.sleep(self.rng.uniform(0, longest.total_seconds()))
            ),
            patch("adapters.ticket_store.secrets.token_urlsafe", lambda n: f"{self.rng.getrandbits(8 * n):x}"),
            patch.object(Backoff, "choose", lambda _, many: self.rng.randrange(many)),
        ):
            yield

    def start(self) -> None:
        """Let the platform run."""
        for reader in self.readers.values():
            reader.start()
        self.tasks.append(self.loop.create_task(self.queue.poll(self._work, CONCURRENCY)))
        self.routine = [self.loop.create_task(work) for work in (self._sweeps(), self._expiries(), self._weather())]

    def stop(self) -> None:
        """Let the platform stand still."""
        for task in asyncio.all_tasks(self.loop):
            task.cancel()

    async def invoke(self, function: str, event: Any) -> Outcome:
        """Run a function as the platform does; what it raises that it should not is a violation."""
        skew = self.faults.between(-1.5, 1.5) if self.faults.strikes("clock_skew") else 0.0
        timeout = _FUNCTIONS[function].get("Timeout", 10)
        name = f"{self.rng.getrandbits(64):016x}"
        ends = self.machine.now + timeout
        context = _LambdaContext(name, lambda: int((ends - self.machine.now) * 1000))
        handler = _HANDLERS[function]
        outcome = await self.machine.invoke(
            function,
            lambda: handler(event, context),
            limit=timeout,
            skew=skew,
            request_id=name,
            begun=self.witness.begun,
        )
        match outcome.error:
            case Crash() as crash if crash.point.endswith("out of time"):
                self.faults.fired["out_of_time"] += 1
            case None | Crash() | Unavailable():
                pass
            case error:
                self.witness.violated(f"{function} raised {error!r}")
        return outcome

    # --- what the platform does -----------------------------------------------------------------------------------

    def _readers(self) -> Iterator[tuple[str, Reader]]:
        for function, properties in _FUNCTIONS.items():
            for event in properties.get("Events", {}).values():
                if event["Type"] != "DynamoDB":
                    continue
                logical_id = event["Properties"]["Stream"]["GetAtt"].partition(".")[0]
                table = _NAMES[logical_id]
                name = f"{function}:{table.removeprefix('streamer-')}"
                yield (
                    name,
                    Reader(
                        machine=self.machine,
                        faults=self.faults,
                        stream=self.streams[table],
                        settings=Settings.of(event["Properties"]),
                        invoke=self._delivering(function),
                        discard=self._discarding(name),
                        handled=self._handling(name),
                        partial_counts=self.rng.random() < 0.5,
                    ),
                )

    def _delivering(self, function: str) -> Callable[[Sequence[Mapping[str, Any]]], Any]:
        return lambda records: self.invoke(function, {"Records": list(records)})

    def _discarding(self, name: str) -> Callable[[Sequence[Entry], str], None]:
        return lambda entries, why: self.witness.discarded(name, entries, why)

    def _handling(self, name: str) -> Callable[[Sequence[Entry]], None]:
        return lambda entries: self.witness.handled(name, entries)

    def _changed(self, table: Table, key: Key, before: Item | None, after: Item | None, by_expiry: bool) -> None:  # noqa: FBT001
        self.witness.changed(table.name.removeprefix("streamer-"), key, before, after, by_expiry=by_expiry)
        if table.stream:
            epoch = int(at(self.machine.now).timestamp())
            stream = self.streams[table.name]
            spoil = self._spoiling(table) if after and not before else None
            stream.write(key, before, after, epoch, by_expiry=by_expiry, spoil=spoil)

    def _spoiling(self, table: Table) -> Callable[[dict[str, Any]], None] | None:
        if not table.name.endswith("Events") or not self.faults.strikes("poison_record"):
            return None
        return self.faults.one_of(_POISONS)

    async def _work(self, event: Mapping[str, Any]) -> Outcome:
        return await self.invoke("Work", event)

    async def _frame(self, socket: Socket, text: str) -> None:
        self.witness.asked(socket.authorizer["tenant_id"], socket.authorizer["user_id"], text)
        await self.invoke("Message", {"requestContext": self._about(socket), "body": text})

    def _about(self, socket: Socket) -> dict[str, Any]:
        names = (f"{self.rng.getrandbits(64):016x}" for _ in range(2))
        return {
            "connectionId": socket.connection_id,
            "messageId": next(names),
            "requestId": next(names),
            "authorizer": socket.authorizer,
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "simulation"},
        }

    def _left(self, socket: Socket) -> None:
        self._in_background(self._disconnect(socket))

    async def _disconnect(self, socket: Socket) -> None:
        for _ in range(3):  # API Gateway's own tries at an asynchronous integration, as good as any number
            outcome = await self.invoke("Disconnect", {"requestContext": self._about(socket)})
            if not outcome.failed:
                return

    async def _sweeps(self) -> None:
        while True:
            await asyncio.sleep(60)
            if self.faults.strikes("sweep_missed"):
                continue
            for _ in range(2 if self.faults.strikes("sweep_doubled") else 1):
                self._in_background(self._sweep())

    async def _sweep(self) -> None:
        self.sweeping += 1
        await self.invoke("Sweep", {})
        self.sweeping -= 1

    async def _expiries(self) -> None:
        """DynamoDB removes expired rows: some now, some later."""
        while True:
            await asyncio.sleep(self.faults.between(30, 90))
            for table in self.database.tables.values():
                for key in table.expired(at(self.machine.now).timestamp()):
                    if self.rng.random() < 0.5:
                        self.faults.fired["row_expired"] += 1
                        self.database.expire(table, key)

    async def _weather(self) -> None:
        """What befalls whole services and sockets from time to time."""
        while True:
            await asyncio.sleep(self.faults.between(5, 60))
            if self.faults.has("outage"):
                self.network.outage(self.faults.one_of(("dynamodb", "dynamodb", "sqs", "s3", "sockets")))
            if self.faults.has("stream_outage") and self.rng.random() < 0.3:
                reader = self.faults.one_of(list(self.readers.values()))
                reader.retention_s = 60.0  # a day in the time of this history
                reader.off_until = self.machine.now + self.faults.between(20, 120)
            open_now = [one for _, one in sorted(self.gateway.sockets.items()) if one.client_open]
            if open_now and self.faults.has("socket_dropped"):
                self.faults.fired["socket_dropped"] += 1
                self.faults.one_of(open_now).drop(known=self.rng.random() < 0.5)

    def _in_background(self, work: Any) -> None:
        self.tasks.append(self.loop.create_task(work))

    # --- clients ---------------------------------------------------------------------------------------------------

    async def dial(self, url: str, _: Any) -> Socket:
        """Open a socket for `sim://TENANT/USER`: with a token in the header, or by way of a ticket."""
        tenant_id, _, user_id = url.removeprefix("sim://").partition("/")
        life = self.faults.between(20, 150) if self.faults.strikes("token_expired") else 7200.0
        identity = Identity(tenant_id, user_id, frozenset({TENANT_READ}), at(self.machine.now + life))
        await asyncio.sleep(self.faults.between(0.01, 0.1))
        claims = await self._by_ticket(identity) if self.rng.random() < 0.4 else _claims(identity)
        socket = self.gateway.new(claims)
        outcome = await self.invoke("Connect", {"requestContext": self._about(socket)})
        if outcome.failed:
            raise ConnectionLost(url=url, status=502)
        if outcome.result["statusCode"] != 200:
            raise ConnectRefused(url=url, status=outcome.result["statusCode"])
        self.gateway.opened(socket)
        return socket

    async def _by_ticket(self, identity: Identity) -> dict[str, str]:
        """The claims that a ticket leads to; ConnectionLost when it did not, so that the client tries again."""
        issued = await self.machine.invoke(
            "IssueTicket", lambda: bootstrap.tickets().issue(identity, self.clock.now()), limit=10
        )
        if issued.failed:
            if not isinstance(issued.error, Crash | StreamerError):
                self.witness.violated(f"IssueTicket raised {issued.error!r}")
            raise ConnectionLost("no ticket")
        late = False
        if self.faults.strikes("ticket_replayed"):
            late = self.rng.random() < 0.5
            if late:
                await asyncio.sleep(self.faults.between(34, 60))
            else:
                self._in_background(self._redeemed(issued.result, late=False))
        claims = await self._redeemed(issued.result, late=late)
        if claims is None:
            raise ConnectionLost("the ticket was refused")
        return claims

    async def _redeemed(self, ticket: str, *, late: bool) -> dict[str, str] | None:
        outcome = await self.invoke("Authorize", {"queryStringParameters": {"ticket": ticket}, "methodArn": "arn"})
        if outcome.failed or "context" not in outcome.result:
            return None
        self.witness.redeemed(ticket, late=late)
        claims: dict[str, str] = outcome.result["context"]
        return claims

    # --- what the checkers ask -------------------------------------------------------------------------------------

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table (by its short name)."""
        return [dict(item) for _, item in self.database.tables[f"streamer-{table}"].all()]

    def _acts(self, context: Context) -> None:
        process = self.machine.process
        assert process is not None
        self.witness.acted(context.request_id, context.attempt, process.request_id)

    @contextmanager
    def _current(self) -> Iterator[None]:
        asyncio.set_event_loop(self.loop)
        yield


class _LambdaContext:
    def __init__(self, aws_request_id: str, remaining: Callable[[], int]) -> None:
        self.aws_request_id = aws_request_id
        self.get_remaining_time_in_millis = remaining


class _Unmeasured:
    """CloudWatch, where figures for operators go and nobody here looks."""

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


def _claims(identity: Identity) -> dict[str, str]:
    return {
        "tenant_id": identity.tenant_id,
        "user_id": identity.user_id,
        "scopes": " ".join(sorted(identity.scopes)),
        "ends_at": to_text(identity.expires_at),
    }


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    def spoil(image: dict[str, Any]) -> None:
        del image[name]

    return spoil


def _with(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(image: dict[str, Any]) -> None:
        image[name] = value

    return spoil


_POISONS: Final = (
    _without("data"),
    _without("request_id"),
    _with("state", {"S": "{"}),
    _with("data", {"S": "[1]"}),
    _with("version", {"N": "1.5"}),
    _with("version", {"S": "1"}),
    _with("schema", {"BOOL": True}),
    _with("at", {"S": "yesterday"}),
    _with("hash", {"B": "%%%"}),
    _with("event_id", {"M": {}}),
)
