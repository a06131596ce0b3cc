"""No secret is printed or logged by any function, whatever goes well or wrong: all output of a run is looked at."""

import sys
from collections.abc import Callable
from typing import Any, Final
from unittest.mock import patch

from adapters.event_store import EventStore
from domain import exact_json
from domain.errors import StreamerError, Unavailable
from handlers import authorize, bootstrap, credentials, disconnect, issue_ticket, message
from tests.handlers.tokens import KEY, forged, signed
from tests.security.fuzz import valid_frames
from tests.security.house import House

MARKER: Final = "M4RK3R"
SOCKET: Final = "socket"


class Run:
    """A run of every kind of frame and failure, with a marker in each secret place."""

    def __init__(self) -> None:
        self.house = House()
        self.secrets = {MARKER, KEY}

    def __call__(self) -> str:
        """Everything that was printed and logged."""
        with self.house.open(POWERTOOLS_LOG_LEVEL="DEBUG"):
            self._doors()
            self._frames()
            self._failures()
            self._workers()
            return self.house.output.getvalue()

    def leaks(self) -> list[str]:
        """The lines of the run that have a secret in them."""
        lines = self().splitlines()
        return [line for line in lines if any(secret in line for secret in self.secrets)]

    def _doors(self) -> None:
        """Good and bad tokens and tickets, in the right and in the wrong places."""
        good, bad = signed(marker=MARKER), signed("another key that is as long as it should be")
        none = forged({"alg": "none", "kid": MARKER})
        for token in (good, bad, none, f"{MARKER}.x.y", signed(sub=f"{MARKER} x"), signed(exp=1), "x" * 5000):
            signature = token.rpartition(".")[2]
            self.secrets |= {token, signature if len(signature) > 8 else token}
            self.house.authorize({"Authorization": f"Bearer {token}"})
            self.house.authorize({"Authorization": f"Basic {token}"}, {"token": token, "ticket": token})
            answer = issue_ticket.handler(_asking(token), None)
            ticket = exact_json.decode(answer["body"]).get("ticket")
            if ticket:
                self.secrets.add(ticket)
                for _ in range(2):
                    self.house.authorize({}, {"ticket": ticket})
        with patch.object(bootstrap, "tickets", _down):
            assert issue_ticket.handler(_asking(good), None)["statusCode"] == 503

    def _frames(self) -> None:
        """Every kind of frame, with a marker in whatever may be one, and the same with something wrong."""
        claims_of_ann = self.house.claims("acme", "ann", "tenant:read", "tenant:write")
        self.house.connected(SOCKET, claims_of_ann)
        secret = {"payload": {MARKER: [MARKER]}, "metadata": {"k": MARKER}, "idempotency_key": MARKER}
        made = self.house.say(SOCKET, claims_of_ann, "submit", action="echo_async", **secret)["request_id"]
        self.house.say(SOCKET, claims_of_ann, "submit", action="echo_async", payload=MARKER * 5000)
        self.house.say(SOCKET, claims_of_ann, "submit", action="echo", payload=MARKER)
        self.house.say(SOCKET, claims_of_ann, "cancel", request_id=made, reason=MARKER)
        for frame in valid_frames([made, "unknown"]):
            for changed in (
                frame,
                {**frame, "made_up": MARKER},
                {**frame, "cursor": MARKER},
                {**frame, "payload": MARKER},
            ):
                self.house.raw(SOCKET, claims_of_ann, exact_json.encode(changed))
        for body in (
            MARKER,
            f'{{"type":"{MARKER}"}}',
            f'["{MARKER}"',
            f'{{"type":"ping","x":"\\ud800{MARKER}"}}',
            None,
        ):
            self.house.raw(SOCKET, claims_of_ann, body)
        self.house.raw(SOCKET, {**claims_of_ann, "ends_at": MARKER}, '{"type":"ping"}')
        self.house.deliver()

    def _failures(self) -> None:
        """What is below fails, in ways that are known and in ways that are not."""
        ann = self.house.claims("acme", "ann")
        for error in (RuntimeError("boom"), StreamerError("down"), RecursionError(), MemoryError()):

            def fail(*_: Any, error: BaseException = error, **__: Any) -> Any:
                raise error

            with patch.object(EventStore, "append", fail):
                self.house.say(SOCKET, ann, "submit", action="echo_async", payload=MARKER, metadata={"k": MARKER})
                items = [{"action": "echo_async", "payload": MARKER}]
                self.house.say(SOCKET, ann, "submit_batch", items=items)

    def _workers(self) -> None:
        """Workers, stream readers and the sweeper, with good and unreadable input."""
        ann = self.house.claims("acme", "ann")
        for action, payload in (
            ("process_data", {"key": f"acme/ann/{MARKER}"}),
            ("process_data", {"csv": f"a\n{MARKER}", "operations": []}),
            ("echo_async", MARKER),
            ("delay", {"seconds": 0, "fail_permanently": True, "fail_attempts": 1}),
        ):
            answer = self.house.say(SOCKET, ann, "submit", action=action, payload=payload)
            assert answer["type"] == "ack", answer
        written = [record for record in self.house.deliver() if "-Events/" in record["eventSourceARN"]]
        self.house.work_all()
        self.house.work(MARKER)
        for name in ("data", "state", "hash", "version"):
            image = {**written[0]["dynamodb"]["NewImage"], name: {"S": MARKER}}
            broken = {**written[0], "dynamodb": {**written[0]["dynamodb"], "NewImage": image}}
            self.house.project([broken])
            self.house.notify([broken])
        self.house.sweep()
        disconnect.handler({"requestContext": {"connectionId": SOCKET}}, None)


def _asking(token: str) -> dict[str, Any]:
    return {"requestContext": {"http": {"method": "POST"}}, "headers": {"authorization": f"Bearer {token}"}}


def _down() -> Any:
    class Down:
        def issue(self, *_: object) -> str:
            raise Unavailable("down", table="tickets")

    return Down()


def test_no_secret_is_in_anything_that_is_printed_or_logged() -> None:
    assert Run().leaks() == []


def test_what_happened_is_in_the_log_all_the_same() -> None:
    told = Run()()
    for words in ("connect refused", "ticket refused", "frame refused", "frame failed", "item failed", "action ended"):
        assert words in told
    assert "unreadable token" in told
    assert '"RecordsQuarantined"' in told


def _telling(before: Callable[..., Any]) -> Callable[..., Any]:
    def tell(event: Any, context: Any) -> Any:
        bootstrap.logger().info("a frame came", extra={"body": event.get("body")})
        return before(event, context)

    return tell


def test_a_function_that_logs_its_frames_is_caught() -> None:
    with patch.object(message, "handler", _telling(message.handler)):
        assert Run().leaks() != []


def _printing(before: Callable[..., Any]) -> Callable[..., Any]:
    def tell(event: Any) -> Any:
        sys.stdout.write(f"{event}\n")
        return before(event)

    return tell


def test_a_function_that_prints_what_it_is_shown_is_caught() -> None:
    with patch.object(authorize, "identify", _printing(credentials.identify)):
        assert Run().leaks() != []
