"""Everything that the functions do, once: each is led down every path on which it asks AWS for something.

A function that asks for something new fails tests/template/test_policies.py until its policy in template.yaml allows
it; a policy that allows what is not asked for fails it, too, until a step here leads there.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

from adapters.broadcast import GONE, THROTTLED, Broadcast, Queue
from adapters.signatures import Body
from adapters.work_tokens import body_of
from domain import exact_json
from domain.errors import Gone, Unavailable
from domain.identity import Identity
from domain.instant import to_text
from domain.recorded import Head
from handlers import (
    authorize,
    bootstrap,
    connect,
    disconnect,
    issue_ticket,
    message,
    notify_subscribers,
    project_views,
    sweep,
    work,
)
from handlers.callers import identity_of
from projections.intents import Wake
from tests.handlers.tokens import signed
from tests.kit.clock import FakeClock
from tests.kit.streams import Record, StreamReader
from tests.kit.tables import forget, on_moto
from tests.kit.tokens import token
from tests.template.witness import Witness

TENANT: Final = "acme"
LARGE: Final = "x" * 20_000  # too large for an event
ARN: Final = "arn:aws:execute-api:us-east-1:1:api/live/$connect"


def witnessed() -> Witness:
    """A witness of the whole scenario."""
    clock = FakeClock(datetime.now(UTC))
    with on_moto(TENANT_CONCURRENCY="1", SUBMIT_BURST="1") as aws, patch.object(bootstrap, "CLOCK", clock):
        witness = Witness(aws)
        sockets = _Sockets(witness)
        with (
            patch.object(bootstrap, "sockets", lambda: sockets),
            patch.object(Broadcast, "post", lambda _, frames, until: sockets.post_all(frames, until)),
        ):
            _Scenario(witness, clock).run()
    return witness


class _Sockets:
    """Open sockets, but for those whose name says that they are gone or take nothing."""

    function: str = ""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def post(self, connection_id: str, text: str) -> None:
        self._witness.socket(_Sockets.function, "POST")
        assert text
        if "gone" in connection_id:
            raise Gone
        if "stuck" in connection_id:
            raise Unavailable

    def post_all(self, frames: Mapping[str, Sequence[str]], until: float) -> list[Queue]:
        """What the broadcast does over lines of its own."""
        assert until > 0
        queues = [Queue(name, [Body.of(text) for text in texts]) for name, texts in frames.items()]
        for queue in queues:
            try:
                for frame in queue.frames:
                    self.post(queue.connection_id, frame.content.decode())
                    queue.sent += 1
            except Gone:
                queue.status = GONE
            except Unavailable:
                queue.status = THROTTLED
        return queues

    def close(self, connection_id: str) -> None:
        self._witness.socket(_Sockets.function, "DELETE")
        if "stuck" in connection_id:
            raise Unavailable


class _Invocation:
    aws_request_id = "a1"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class _Scenario:
    """One tenant's day."""

    def __init__(self, witness: Witness, clock: FakeClock) -> None:
        self._witness = witness
        self._clock = clock
        self._numbers = itertools.count(1)
        self._streams = {
            name: StreamReader(witness.aws.streams, witness.aws.tables[name])
            for name in ("Events", "Connections", "Subscriptions")
        }

    def run(self) -> None:
        self._get_in()
        self._open_and_close()
        self._ask()
        self._work()
        self._let_two_go_on()
        self._leave_to_the_sweeper()
        self._spoil_records()
        self._close("c-1")
        self._deliver("Connections")

    def _get_in(self) -> None:
        with self._acting("IssueTicket"):
            asked = {"requestContext": {"http": {"method": "POST"}}}
            answer = issue_ticket.handler({**asked, "headers": {"authorization": f"Bearer {signed()}"}}, None)
            assert answer["statusCode"] == 200
            refused = issue_ticket.handler({**asked, "headers": {"authorization": "Bearer no"}}, None)
            assert refused["statusCode"] == 401
        for given in ({"Authorization": f"Bearer {signed()}"}, {"Authorization": "Bearer no"}):
            with self._acting("Authorize"):
                authorize.handler({"methodArn": ARN, "headers": given}, None)
        with self._acting("Authorize"):
            ticket = json.loads(answer["body"])
            redeemed = authorize.handler({"methodArn": ARN, "queryStringParameters": ticket}, None)
        assert redeemed["principalId"] == "ann"

    def _open_and_close(self) -> None:
        for name in ("c-1", "c-gone", "c-stuck", "c-left"):
            with self._acting("Connect"):
                assert connect.handler(self._event(name), None) == {"statusCode": 200}
        self._close("c-left")
        self._deliver("Connections")

    def _ask(self) -> None:
        now = self._clock.now()
        self._clock.advance(90)
        request_id = self._submit(payload=LARGE, idempotency_key="once")
        self._submit(payload=LARGE, idempotency_key="once")
        self._submit(connection_id="c-gone")
        self._submit(connection_id="c-stuck")
        self._clock.advance(2)
        self._say("submit", action="echo", payload=1)
        self._clock.advance(5)
        self._say("submit_batch", items=[{"action": "echo_async"}])
        for watched in ({"request_id": request_id}, {"topic": f"tenant#{TENANT}"}):
            self._say("subscribe", **watched)
        self._say("unsubscribe", topic=f"tenant#{TENANT}")
        self._deliver("Events")
        self._deliver("Subscriptions")
        for frame in (
            {"type": "ping"},
            {"type": "get", "request_id": request_id},
            {"type": "get", "request_id": request_id, "at_version": 1},
            {"type": "explain", "request_id": request_id},
            {"type": "actions"},
            {"type": "history", "request_id": request_id},
            {"type": "actions"},
            {"type": "list"},
            {"type": "list", "scope": "tenant"},
            {"type": "list", "scope": "tenant", "status": "PENDING"},
            {"type": "metrics", "from": to_text(now - timedelta(hours=1)), "to": to_text(now + timedelta(hours=1))},
            {"type": "audit", "day": now.date().isoformat()},
            {"type": "audit", "request_id": request_id},
            {"type": "cancel", "request_id": self._submit()},
        ):
            self._say(**frame)
        with self._acting("Message"):
            message.handler({**self._event("c-1", ends_in=timedelta(0)), "body": '{"type":"ping"}'}, None)

    def _work(self) -> None:
        request_id = self._submit(payload=LARGE)
        self._submit()
        report = {"start": to_text(self._clock.now() - timedelta(hours=1)), "end": to_text(self._clock.now())}
        self._submit(action="generate_report", payload=report)
        lost = self._submit(payload=LARGE)
        self._deliver("Events")
        self._forget_payload(lost)
        while (head := self._head(self._wake(None))) is not None:
            assert head.state.is_final
        self._deliver("Events")
        self._say("get", request_id=request_id)
        self._say("get", request_id=lost)
        for key in self._witness.aws.objects(self._witness.aws.payload_bucket):
            self._witness.aws.s3.delete_object(Bucket=self._witness.aws.payload_bucket, Key=key)
        self._say("get", request_id=request_id)

    def _let_two_go_on(self) -> None:
        """Two requests of which there is nothing but progress to tell: by the stream, then by the sweeper's patrol."""
        submitted = [self._submit(), self._submit()]
        self._deliver("Events")
        forget()
        with patch.object(bootstrap, "slots", lambda: None):  # for one of them would have to wait
            queue = bootstrap.queue()
        claims = [queue.claim(self._hint(name), f"worker-{name}", timedelta(minutes=30)) for name in submitted]
        self._deliver("Events")
        running = [claim.head for claim in claims if claim is not None]
        assert len(running) == len(submitted)
        for percent, tell in ((10, self._project), (20, self._patrol)):
            running = [queue.report_progress(head, head.state.attempt, percent, None, None) for head in running]
            tell()
        for head in running:
            queue.complete(head, head.state.attempt, None)
        self._deliver("Events")

    def _project(self) -> None:
        """Hand over what was written, all of it at once."""
        records = self._streams["Events"].read()
        with self._acting("ProjectViews"):
            project_views.handler({"Records": records}, None)

    def _patrol(self) -> None:
        """Let the sweeper find what no record told of."""
        self._clock.advance(90)
        with self._acting("Sweep"):
            sweep.handler({}, None)
        self._streams["Events"].read()

    def _leave_to_the_sweeper(self) -> None:
        """A request whose worker is lost, one whose token is, a slot that was never freed, sockets that should end."""
        self._submit()
        running = self._submit()
        queue = bootstrap.queue()
        claim = queue.claim(self._hint(running), "worker-1", timedelta(seconds=30))
        assert claim is not None
        slots = bootstrap.slots()
        assert slots is not None
        self._deliver("Events")
        for _ in range(4):
            self._clock.advance(45)
            with self._acting("Sweep"):
                sweep.handler({}, None)
            self._deliver("Events")
        self._witness.aws.dynamodb.update_item(
            TableName=self._witness.aws.tables["Limits"],
            Key={"name": {"S": f"slots#{TENANT}"}},
            UpdateExpression="ADD running :lost",
            ExpressionAttributeValues={":lost": {"SS": [self._submit()]}},
        )
        for _ in range(4):
            self._clock.advance(45)
            with self._acting("Sweep"):
                sweep.handler({}, None)
        self._deliver("Events")
        for _ in range(4):
            self._clock.advance(2)
            self._wake(None if queue.get(running).state.is_final else self._hint(running))
        assert queue.get(running).state.is_final
        self._clock.advance(by=timedelta(days=2))
        with self._acting("Sweep"):
            sweep.handler({}, None)

    def _spoil_records(self) -> None:
        self._submit()
        (record, *_) = self._streams["Events"].read()
        spoilt = deepcopy(record)
        del spoilt["dynamodb"]["NewImage"]["state"]
        for function, handler in (("ProjectViews", project_views), ("NotifySubscribers", notify_subscribers)):
            with self._acting(function):
                handler.handler({"Records": [spoilt]}, None)

    # --- steps ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _acting(self, function: str) -> Iterator[None]:
        if function != _Sockets.function:
            forget()  # each function is a process of its own
        _Sockets.function = function
        with self._witness.of(function):
            yield

    def _deliver(self, table: str) -> None:
        """Hand what was written to a table to its readers; the views read it twice, the second time with a gap."""
        records: Sequence[Record] = self._streams[table].read()
        if not records:
            return
        with self._acting("ProjectViews"):
            assert project_views.handler({"Records": records[-1:]}, None) == {"batchItemFailures": []}
            assert project_views.handler({"Records": records}, None) == {"batchItemFailures": []}
        if table == "Events":
            with self._acting("NotifySubscribers"):
                notify_subscribers.handler({"Records": records}, None)

    def _close(self, connection_id: str) -> None:
        event = self._event(connection_id)
        with self._acting("Disconnect"):
            disconnect.handler(event, None)

    def _say(self, type: str, connection_id: str = "c-1", **fields: Any) -> None:  # noqa: A002 - the frame's name of it
        self._witness.frames.add(type)
        frame = exact_json.encode({"type": type, "id": f"f-{next(self._numbers)}", **fields})
        with self._acting("Message"):
            assert message.handler({**self._event(connection_id), "body": frame}, None) == {"statusCode": 200}

    def _submit(self, action: str = "echo_async", connection_id: str = "c-1", **fields: Any) -> str:
        """Submit a request; its id."""
        self._clock.advance(2)
        told: list[str] = []
        with patch.object(_Sockets, "post", lambda _, __, text: told.append(text)):
            self._say("submit", connection_id, action=action, **fields)
        self._witness.socket("Message", "POST")
        answer: Mapping[str, Any] = json.loads(told[-1])
        assert answer["type"] == "ack", answer
        request_id: str = answer["request_id"]
        return request_id

    def _wake(self, hint: Wake | None) -> Mapping[str, Any]:
        """Deliver a token, by default one that leads nowhere; what the worker logs of it."""
        record = {"messageId": f"m-{next(self._numbers)}", "body": body_of(hint) if hint else "lost"}
        with self._acting("Work"):
            assert work.handler({"Records": [record]}, _Invocation()) == {"batchItemFailures": []}
        return self._witness.lines["Work"][-1]

    def _head(self, line: Mapping[str, Any]) -> Head | None:
        return bootstrap.queue().get(line["request_id"]) if "request_id" in line else None

    def _hint(self, request_id: str) -> Wake:
        return token(bootstrap.queue().get(request_id))

    def _forget_payload(self, request_id: str) -> None:
        bucket = self._witness.aws.payload_bucket
        (key,) = (key for key in self._witness.aws.objects(bucket) if request_id in key)
        self._witness.aws.s3.delete_object(Bucket=bucket, Key=key)

    def _event(self, connection_id: str, ends_in: timedelta = timedelta(hours=1)) -> dict[str, Any]:
        claims = {
            "tenant_id": TENANT,
            "user_id": "ann",
            "scopes": "tenant:read tenant:write",
            "ends_at": to_text(self._clock.now() + ends_in),
        }
        about = {
            "connectionId": connection_id,
            "messageId": f"m-{next(self._numbers)}",
            "requestId": "r",
            "authorizer": claims,
        }
        event: dict[str, Any] = {"requestContext": about}
        assert isinstance(identity_of(event), Identity)
        return event
