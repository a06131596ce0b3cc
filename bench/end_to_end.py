"""How long a client waits on the stack on this machine: from submit to ack, and from an append to its push.

The peer is the same frames through functions that do nothing but post (bench/empty), deployed beside ours to the same
emulator: the same frame in and one as large as our acknowledgement out; a row as large as our event in a table with a
stream, and a frame as large as our push out. Both have one socket of the same library. Blocks of ours and of the peer
take turns, so that what else the machine does meets both; before each sample all functions are at rest, so that none
waits for what an earlier one has left to do, as the views.
"""

import io
import json
import time
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from adapters.clock import Clock
from adapters.event_store import EventStore, to_row
from bench.folding import record_of
from bench.inside import Spent, as_function, timed
from bench.results import Row
from client.tokens import make_token
from domain.commands import Command, ReportProgress, Start, Submit
from domain.identity import Identity
from domain.instant import to_text
from domain.recorded import Head, Origin, RecordedEvent, record
from domain.request import decide
from handlers import message, notify_subscribers
from local.deploy import deploy_beside
from local.stack import Stack, running
from tests.kit.stacks import aws_of

EMPTY: Final = Path(__file__).with_name("empty") / "template.yaml"
WARM_UP: Final = 20
BLOCKS: Final = 12
OF_A_BLOCK: Final = 25
INSIDE: Final = 40  # samples of what a handler's time is spent on
POLL_S: Final = 0.01
REST_S: Final = 0.03  # without a word in the functions' log
PATIENCE_S: Final = 30.0
DELAY_S: Final = 3600  # no worker takes part
TENANT: Final = "bench"
USER: Final = "ann"
SUBMIT: Final = json.dumps(
    {"type": "submit", "id": "1", "action": "delay", "payload": {"seconds": 1}, "delay_s": DELAY_S}
)
Way = Callable[[], float]


class Life:
    """A request that runs and tells of its progress; whoever asks for its events appends them, or not."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._head = Head(self._clock.request_id())
        self._steps = 0
        now = self._clock.now()
        later = now + timedelta(seconds=DELAY_S)
        submit = Submit(now=now, action="delay", digest="d", payload={"seconds": 1}, delay=later - now)
        start = Start(now=later, worker_id="w", lease_until=later + timedelta(hours=1))
        self.first = [self._next(submit), self._next(start)]

    def progress(self) -> RecordedEvent:
        """The next event."""
        self._steps += 1
        percent = min(99.0, self._steps / 10)
        told = f"Step {self._steps}"  # a repeat would be no event
        return self._next(ReportProgress(now=self._clock.now(), attempt=1, percent=percent, message=told))

    def _next(self, command: Command) -> RecordedEvent:
        origin = Origin(TENANT, USER, "bench", "bench")
        (event,) = decide(command, self._head.state)
        recorded = record(event, self._head, self._clock.now(), self._clock.event_id(), origin)
        self._head = Head.of(recorded)
        return recorded


class Ours:
    """The stack: a socket that submits, and that watches a request which the bench brings on."""

    def __init__(self, stack: Stack, socket: ClientConnection) -> None:
        self._socket = socket
        self._aws = aws_of(stack)
        self._events = EventStore(self._aws.dynamodb, self._aws.tables["Events"])
        self.life = Life()
        self.sizes: dict[str, int] = {}  # of the newest frame of each type, in bytes

    def watch(self) -> None:
        """Bring the request into the log, and watch it."""
        for event in self.life.first:
            self._events.append(event)
        self._socket.send(json.dumps({"type": "subscribe", "id": "s", "request_id": event.request_id}))
        self.take("subscribed")

    def submit(self) -> float:
        """Seconds from submit to ack; ends when the request's own push is there as well."""
        started = time.perf_counter()
        self._socket.send(SUBMIT)
        frames = {"ack": 0.0, "event": 0.0}  # the push may be first
        while not all(frames.values()):
            frame = self.take()
            frames[frame["type"]] = time.perf_counter() - started
        return frames["ack"]

    def push(self) -> float:
        """Seconds from an append to its push."""
        event = self.life.progress()
        started = time.perf_counter()
        self._events.append(event)
        self.take("event")
        return time.perf_counter() - started

    def take(self, kind: str = "") -> dict[str, Any]:
        """The next frame, of a type if one is asked for."""
        while True:
            text = self._socket.recv(PATIENCE_S)
            frame: dict[str, Any] = json.loads(text)
            self.sizes[frame["type"]] = len(text)
            if not kind or frame["type"] == kind:
                return frame

    @property
    def connection_id(self) -> str:
        """The socket's connection, which is the only one."""
        (row,) = self._aws.rows("Connections")
        return str(row["connection_id"]["S"])


class Empty:
    """The functions that do nothing but post."""

    def __init__(self, dynamodb: Any, table: str, socket: ClientConnection, life: Life) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._socket = socket
        self._life = life
        self._connection_id = ""

    def submit(self) -> float:
        """Seconds from a frame to its answer."""
        started = time.perf_counter()
        self._socket.send(SUBMIT)
        self._connection_id = (self._frame())["connection_id"]
        return time.perf_counter() - started

    def push(self) -> float:
        """Seconds from the put of a row to its push."""
        row = {**to_row(self._life.progress()), "watcher": {"S": self._connection_id}}
        started = time.perf_counter()
        self._dynamodb.put_item(TableName=self._table, Item=row, ConditionExpression="attribute_not_exists(request_id)")
        self._frame()
        return time.perf_counter() - started

    def _frame(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._socket.recv(PATIENCE_S))
        return told


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds of ours and of the peer, and what our handlers spend theirs on."""

    samples: Mapping[str, tuple[list[float], list[float]]]
    inside: Mapping[str, Spent]


def measured(directory: Path, blocks: int = BLOCKS) -> Measured:
    """Measure on a stack of its own."""
    with running(directory) as stack:
        token = make_token(stack, tenant=TENANT, user=USER, now=Clock().now())
        with connect(
            stack.ws_url, additional_headers={"Authorization": f"Bearer {token}"}, compression=None
        ) as our_socket:
            ours = Ours(stack, our_socket)
            ours.watch()
            _warm(ours.submit, ours.push)
            sizes = {"AnswerBytes": str(ours.sizes["ack"]), "PushBytes": str(ours.sizes["event"])}
            outputs = deploy_beside(directory, stack.endpoint_url, EMPTY, "empty", sizes)
            url = stack.ws_url.replace(stack.ws_url.split("/")[-2], outputs["WebSocketApiId"])
            with connect(url, compression=None) as socket:
                empty = Empty(aws_of(stack).dynamodb, outputs["RowsTable"], socket, Life())
                _warm(empty.submit, empty.push)
                samples = {
                    "submit to ack": _in_turns(Rest(stack), ours.submit, empty.submit, blocks),
                    "append to push": _in_turns(Rest(stack), ours.push, empty.push, blocks),
                }
            inside = {"submit to ack": _answering(stack, ours), "append to push": _fanning(stack, ours)}
    return Measured(samples, inside)


class Rest:
    """Waits until all functions of a stack are at rest: each writes a line into their log when it has run."""

    def __init__(self, stack: Stack) -> None:
        self._log = Path(stack.log_dir) / "functions.log"

    def wait(self) -> None:
        """Wait until nothing has been said for a while."""
        size, since = -1, time.monotonic()
        while time.monotonic() - since < REST_S:
            time.sleep(POLL_S)
            now = self._log.stat().st_size
            if now != size:
                size, since = now, time.monotonic()


def _warm(*ways: Way) -> None:
    for _ in range(WARM_UP):
        for way in ways:
            way()


def _in_turns(rest: Rest, ours: Way, peer: Way, blocks: int) -> tuple[list[float], list[float]]:
    """Milliseconds of both ways, block by block."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(blocks):
        for way, samples in zip((ours, peer), spent, strict=True):
            for _ in range(OF_A_BLOCK):
                rest.wait()
                samples.append(1000 * way())
    return spent


def _answering(stack: Stack, ours: Ours) -> Spent:
    """What Message spends its time on."""
    now = Clock().now()
    who = Identity(TENANT, USER, frozenset(), now + timedelta(hours=1))
    context = {"tenant_id": who.tenant_id, "user_id": who.user_id, "scopes": "", "ends_at": to_text(who.expires_at)}
    about = {"connectionId": ours.connection_id, "messageId": "m", "authorizer": context}
    event = {"requestContext": about, "body": SUBMIT}
    return _spent(stack, "Message", lambda: message.handler(event, None), lambda: ours.take("ack"))


def _fanning(stack: Stack, ours: Ours) -> Spent:
    """What NotifySubscribers spends its time on."""
    records = [json.loads(json.dumps(record_of(ours.life.progress()))) for _ in range(INSIDE + 1)]
    upcoming = iter(records)
    return _spent(
        stack,
        "NotifySubscribers",
        lambda: notify_subscribers.handler({"Records": [next(upcoming)]}, None),
        lambda: ours.take("event"),
    )


def _spent(stack: Stack, name: str, handle: Callable[[], Any], taken: Callable[[], object]) -> Spent:
    """Run a handler in this process, one call after the other; the first is not counted."""
    spent = Spent()
    with as_function(stack, name), redirect_stdout(io.StringIO()):  # figures for operators
        handle()
        taken()
        for _ in range(INSIDE):
            with timed(spent):
                started = time.perf_counter()
                handle()
                spent.total_s += time.perf_counter() - started
            spent.requests += 1
            taken()
    return spent


def rows() -> list[Row]:
    """Milliseconds, the median and the 99th percentile."""
    with TemporaryDirectory() as name:
        told = measured(Path(name))
    made = []
    for what, (ours, peer) in told.samples.items():
        why = told.inside[what].told()
        figures = [("p50", median(ours), median(peer)), ("p99", _p99(ours), _p99(peer))]
        made += [
            Row(f"end to end: {what}, {kind}", mine, theirs, "ms", "ratio <= 1.5", why)
            for kind, mine, theirs in figures
        ]
    return made


def _p99(samples: list[float]) -> float:
    return quantiles(samples, n=100)[98]
