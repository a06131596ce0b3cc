"""A stack on moto for each module of tests, and a client whose socket remembers what it was sent."""

import itertools
import json
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from domain import exact_json
from domain.errors import Gone, Unavailable
from domain.instant import to_text
from domain.protocol import FRAME_LIMIT, server_frame
from handlers import bootstrap, message, project_views
from tests.kit.clock import START, FakeClock
from tests.kit.streams import StreamReader
from tests.kit.tables import Aws, forget, on_moto

NUMBERS = itertools.count(1)
MARKER = "s3cr3t-marker"


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with on_moto() as made:
        yield made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of the handlers; each test has days of its own, and so request ids."""
    clock = FakeClock(START + timedelta(days=100 * next(NUMBERS)))
    monkeypatch.setattr(bootstrap, "CLOCK", clock)
    forget()  # what a handler is made of has the clock of the test before
    return clock


@dataclass(slots=True)
class RecordedSockets:
    """Open sockets that take what API Gateway would take, and remember it."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)

    def post(self, connection_id: str, text: str) -> None:
        """Take a frame; refuse one that is too large, as API Gateway does."""
        if connection_id in self.gone:
            raise Gone
        if connection_id in self.stuck:
            raise Unavailable(code="LimitExceededException")
        if len(text.encode()) > FRAME_LIMIT:
            raise Unavailable(code="PayloadTooLargeException")
        server_frame(text)
        self.sent.append((connection_id, text))

    def close(self, connection_id: str) -> None:
        """Close a socket."""
        if connection_id in self.gone:
            raise Gone
        self.closed.append(connection_id)


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> RecordedSockets:
    sockets = RecordedSockets()
    monkeypatch.setattr(bootstrap, "sockets", lambda: sockets)
    return sockets


@pytest.fixture
def tenant() -> str:
    """A tenant of this test alone."""
    return f"tenant-{next(NUMBERS)}"


def claims_of(tenant_id: str, user_id: str, ends_at: str, *scopes: str) -> dict[str, str]:
    """What the authorizer puts into the context of a socket."""
    return {"tenant_id": tenant_id, "user_id": user_id, "scopes": " ".join(scopes), "ends_at": ends_at}


def frame_event(body: str | None, claims: Mapping[str, Any] | None, connection_id: str = "c1") -> dict[str, Any]:
    """The event of one frame."""
    about = {"connectionId": connection_id, "messageId": "m1", "requestId": "r1", "authorizer": claims}
    about["identity"] = {"sourceIp": "192.0.2.1"}
    return {"requestContext": about, "body": body}


@dataclass(slots=True)
class Client:
    """A socket of one user."""

    claims: dict[str, str]
    sockets: RecordedSockets
    connection_id: str

    def raw(self, body: str | None) -> dict[str, Any]:
        """Send any text; the only answer to it."""
        before = len(self.sockets.sent)
        assert message.handler(frame_event(body, self.claims, self.connection_id), None) == {"statusCode": 200}
        answers = self.sockets.sent[before:]
        assert [connection_id for connection_id, _ in answers] == [self.connection_id]
        answer: dict[str, Any] = exact_json.decode(answers[0][1])
        return answer

    def say(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a frame with an id; the answer, which has the same id."""
        answer = self.raw(exact_json.encode({"type": kind, "id": "f1", **fields}))
        assert answer.pop("id") == "f1"
        return answer

    def submit(self, action: str = "echo_async", **fields: Any) -> str:
        """The id of a new request."""
        answer = self.say("submit", action=action, **fields)
        assert answer["type"] == "ack", answer
        request_id: str = answer["request_id"]
        return request_id


Connect = Callable[..., Client]
Project = Callable[[], None]


@pytest.fixture
def connect(aws: Aws, clock: FakeClock, sockets: RecordedSockets, tenant: str) -> Connect:
    """A client of the test's tenant; its token ends in an hour."""

    def connect(user: str = "ann", *scopes: str, of: str = tenant) -> Client:
        assert aws.tables
        ends_at = to_text(clock.now() + timedelta(hours=1))
        return Client(claims_of(of, user, ends_at, *scopes), sockets, f"c-{of}-{user}")

    return connect


@pytest.fixture
def project(aws: Aws) -> Project:
    """Brings the views up to the log, by the records of its stream."""
    # The log's alone: of a row that an update makes, moto's other streams show the key only.
    reader = StreamReader(aws.streams, aws.tables["Events"])

    def project() -> None:
        assert project_views.handler({"Records": reader.read()}, None) == {"batchItemFailures": []}
        assert aws.objects(aws.failures_bucket) == {}

    return project


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Everything that was logged, with all that hangs on it and every trace."""
    lines = []
    for record in caplog.records:
        lines.append(json.dumps(vars(record), default=repr))
        if record.exc_info and record.exc_info[1]:
            lines += traceback.format_exception(record.exc_info[1])
    return "\n".join(lines)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    caplog.set_level(logging.INFO)
    return lambda: logged(caplog)
