"""The token key is read by one signed request, kept for a while, and may be changed at any time."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from adapters.token_secret import KEPT_S, SETTLED_S, TokenSecret, endpoint, fetched, signed
from domain.errors import Unavailable
from tests.kit.tables import environment_of

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:streamer-AbCdEf"
NOW = datetime(2026, 11, 22, 8, 24, 41, tzinfo=UTC)
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
HERE = {**KEYS, "AWS_REGION": "eu-west-1"}
ONE, TWO, THREE = "one" * 16, "two" * 16, "three" * 16


@pytest.mark.parametrize("session", [{}, {"AWS_SESSION_TOKEN": "to/ken+=="}])
@pytest.mark.parametrize("url", ["https://secretsmanager.eu-west-1.amazonaws.com", "http://127.0.0.1:4566"])
def test_a_request_is_signed_as_botocore_signs_it(
    monkeypatch: pytest.MonkeyPatch, url: str, session: dict[str, str]
) -> None:
    body = b'{"SecretId": "arn"}'
    ours = signed(url, "eu-west-1", body, NOW, KEYS | session)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: NOW.replace(tzinfo=None))
    named = {name: ours[name] for name in ("content-type", "x-amz-target")}
    request = AWSRequest("POST", f"{url}/", headers=named, data=body)
    access_key, secret_key = KEYS.values()
    keys = Credentials(access_key, secret_key, session.get("AWS_SESSION_TOKEN"))
    SigV4Auth(keys, "secretsmanager", "eu-west-1").add_auth(request)
    assert ours["authorization"] == request.headers["Authorization"]
    assert ours["x-amz-date"] == request.headers["X-Amz-Date"]


@pytest.mark.parametrize(
    ("region", "given", "asked"),
    [
        ("eu-west-1", {}, "https://secretsmanager.eu-west-1.amazonaws.com"),
        ("cn-north-1", {}, "https://secretsmanager.cn-north-1.amazonaws.com.cn"),
        ("eu-west-1", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
        ("eu-west-1", {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://b"}, "http://b"),
    ],
)
def test_it_is_asked_where_the_function_runs(region: str, given: dict[str, str], asked: str) -> None:
    with environment_of(given):
        assert endpoint(region) == asked


@contextmanager
def answering(*answers: tuple[int, Any]) -> Iterator[list[dict[str, Any]]]:
    """A service that gives these answers, the last one again and again; what it was asked."""
    asked: list[dict[str, Any]] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append({"target": self.headers["X-Amz-Target"], **json.loads(body)})
            status, told = answers[min(len(asked), len(answers)) - 1]
            content = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with environment_of({**HERE, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}):
                yield asked
        finally:
            server.shutdown()
            thread.join()


BUSY = (500, {"__type": "InternalServiceError"})
MISSING = (400, {"__type": "com.amazonaws#ResourceNotFoundException"})
FORBIDDEN = (400, {"__type": "AccessDeniedException"})


def test_a_version_is_asked_for_by_its_stage() -> None:
    with answering((200, {"SecretString": ONE})) as asked:
        assert fetched(ARN, "AWSPREVIOUS") == ONE
    target = "secretsmanager.GetSecretValue"
    assert asked == [{"target": target, "SecretId": ARN, "VersionStage": "AWSPREVIOUS"}]


def test_a_version_that_is_not_there_is_none() -> None:
    with answering(MISSING) as asked:
        assert fetched(ARN, "AWSPREVIOUS") is None
    assert len(asked) == 1


@pytest.mark.parametrize("first", [BUSY, (503, b"no JSON"), (502, [])])
def test_a_service_that_stumbles_is_asked_again(first: tuple[int, Any]) -> None:
    with answering(first, (200, {"SecretString": ONE})) as asked:
        assert fetched(ARN, "AWSCURRENT") == ONE
    assert len(asked) == 2


@pytest.mark.parametrize(("answer", "code"), [(BUSY, "InternalServiceError"), (FORBIDDEN, "AccessDeniedException")])
def test_a_service_that_does_not_tell_is_an_outage(answer: tuple[int, Any], code: str) -> None:
    with answering(answer), pytest.raises(Unavailable) as raised:
        fetched(ARN, "AWSCURRENT")
    assert raised.value.context["code"] == code


def test_a_service_that_cannot_be_reached_is_an_outage() -> None:
    with answering(BUSY):
        pass
    with environment_of({**HERE, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}), pytest.raises(Unavailable):
        fetched(ARN, "AWSCURRENT")


class Manager:
    """Secrets Manager with a clock."""

    def __init__(self, **versions: str) -> None:
        self.versions = versions
        self.now = 0.0
        self.asked: list[str] = []
        self.out_of_order = False

    def fetch(self, arn: str, stage: str) -> str | None:
        assert arn == ARN
        self.asked.append(stage)
        if self.out_of_order:
            raise Unavailable
        return self.versions.get(stage)

    def secret(self) -> TokenSecret:
        return TokenSecret(ARN, self.fetch, lambda: self.now)


def test_it_is_kept_for_some_minutes() -> None:
    manager = Manager(AWSCURRENT=ONE)
    secret = manager.secret()
    for moment in (0, 1, KEPT_S - 1):
        manager.now = moment
        assert (secret.current(), secret.previous()) == (ONE, None)
    assert manager.asked == ["AWSCURRENT", "AWSPREVIOUS"]
    manager.now = KEPT_S
    manager.versions = {"AWSCURRENT": TWO, "AWSPREVIOUS": ONE}
    assert (secret.current(), secret.previous()) == (TWO, ONE)


def test_when_it_changes_the_one_before_is_looked_up_as_well() -> None:
    manager = Manager(AWSCURRENT=ONE)
    secret = manager.secret()
    assert (secret.current(), secret.previous()) == (ONE, None)
    manager.now = SETTLED_S
    manager.versions = {"AWSCURRENT": TWO, "AWSPREVIOUS": ONE}
    assert (secret.renewed(), secret.previous()) == (TWO, ONE)


def test_an_outage_leaves_what_was_known() -> None:
    manager = Manager(AWSCURRENT=ONE)
    secret = manager.secret()
    assert secret.current() == ONE
    manager.now, manager.out_of_order = KEPT_S, True
    assert secret.current() == ONE
    with pytest.raises(Unavailable):
        secret.previous()
    with pytest.raises(Unavailable):
        manager.secret().current()


def test_one_that_was_just_made_is_found_but_looked_for_seldom() -> None:
    manager = Manager(AWSCURRENT=ONE)
    secret = manager.secret()
    assert secret.current() == ONE
    manager.versions["AWSCURRENT"] = THREE
    manager.now = SETTLED_S - 1
    assert secret.renewed() is None
    manager.now = SETTLED_S
    assert secret.renewed() == THREE
    assert secret.current() == THREE
    assert secret.renewed() is None
    assert manager.asked == ["AWSCURRENT"] * 2


@pytest.mark.parametrize("versions", [{}, {"AWSCURRENT": "short"}, {"AWSCURRENT": "x" * 31}])
def test_a_key_that_is_missing_or_weak_lets_nobody_in(versions: dict[str, str]) -> None:
    with pytest.raises(Unavailable):
        Manager(**versions).secret().current()


def test_the_pauses_between_tries_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    with answering(BUSY) as asked, pytest.raises(Unavailable):
        fetched(ARN, "AWSCURRENT")
    assert len(asked) == len(pauses) == 3
    assert sum(pauses) < 1
