"""Who connects shows a token in a header or a ticket in the address, a new one each time, and never a token there."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from client import Backoff, ConnectionLost, ConnectRefused, StreamerClient
from client.credentials import EARLY, SHORTEST, Credentials
from tests.client.scripted_server import ManualClock, ScriptedServer
from tests.client.test_connection import cut

Connect = Callable[..., StreamerClient]


def a_token(life: timedelta) -> str:
    return jwt.encode({"exp": datetime.now(UTC) + life}, "k" * 32, algorithm="HS256")


async def test_each_connect_asks_for_a_ticket_and_sends_no_token(server: ScriptedServer, connect: Connect) -> None:
    tickets = iter(["one+/=", "two"])
    async with connect(token=None, ticket=lambda: next(tickets)) as client:
        await client.ping()
        await cut(server)
        await client.ping()
    assert server.paths == ["/stage?ticket=one%2B%2F%3D", "/stage?ticket=two"]
    assert all("Authorization" not in headers for headers in server.headers)


async def test_a_ticket_goes_beside_what_the_address_asks_already(server: ScriptedServer, clock: ManualClock) -> None:
    backoff = Backoff(sleep=clock.sleep)
    async with StreamerClient(f"{server.url}?stage=1", ticket=lambda: "one", backoff=backoff) as client:
        await client.ping()
    assert server.paths == ["/stage?stage=1&ticket=one"]


async def test_a_jwt_is_refused_as_a_ticket_before_anything_is_sent(server: ScriptedServer, connect: Connect) -> None:
    with pytest.raises(ConnectRefused, match="no ticket"):
        async with connect(token=None, ticket=lambda: a_token(timedelta(hours=1))):
            pytest.fail("connected")
    assert server.paths == []


async def test_a_refusal_does_not_tell_the_ticket(server: ScriptedServer, connect: Connect) -> None:
    server.refuse_all = 401
    with pytest.raises(ConnectRefused) as refused:
        async with connect(token=None, ticket=lambda: "s3cret"):
            pytest.fail("connected")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("secret", [{"token": "s3cret\n"}, {"token": None, "ticket": lambda: "s3cret"}])
async def test_an_error_does_not_tell_what_could_not_be_sent(
    server: ScriptedServer, clock: ManualClock, secret: Any
) -> None:
    url = server.url if secret["token"] else server.url.replace("ws://", "http://")
    with pytest.raises(ConnectionLost) as lost:
        async with StreamerClient(url, **secret, backoff=Backoff(sleep=clock.sleep)):
            pytest.fail("connected")
    assert "s3cret" not in str(lost.value)


@pytest.mark.parametrize("options", [{}, {"token": "t", "ticket": lambda: "t"}])
def test_a_client_has_either_a_token_or_tickets(options: Any) -> None:
    with pytest.raises(TypeError):
        StreamerClient("ws://127.0.0.1:1/", **options)


async def test_a_plain_provider_may_take_its_time(connect: Connect) -> None:
    threads: list[threading.Thread] = []

    def provide() -> str:
        threads.append(threading.current_thread())
        return "token"

    async with connect(token=provide) as client:
        await client.ping()
    assert threads != [threading.main_thread()]


@pytest.mark.parametrize(
    ("token", "life"),
    [
        (a_token(timedelta(hours=1)), None),  # fixed: a new connect would get the same
        (lambda: "no JWT", None),
        (lambda: "a.b.c", None),
        (lambda: jwt.encode({"exp": "soon"}, "k" * 32), None),
        (lambda: jwt.encode({"exp": -(10**400)}, "k" * 32), SHORTEST),
        (lambda: a_token(timedelta(hours=1)), timedelta(hours=1) - EARLY),
        (lambda: a_token(timedelta(seconds=-5)), SHORTEST),
    ],
    ids=["fixed", "opaque", "garbled", "no number", "long ago", "an hour", "ended"],
)
async def test_a_connection_lives_until_shortly_before_its_token_ends(token: Any, life: timedelta | None) -> None:
    credentials = Credentials(token)
    await credentials.shown()
    told = credentials.life()
    if life is None or told is None:
        assert told is life
    else:
        assert abs(told - life) < timedelta(seconds=5)


async def test_a_token_may_end_later_than_anything_can_be_told() -> None:
    credentials = Credentials(lambda: jwt.encode({"exp": 10**400}, "k" * 32))
    await credentials.shown()
    assert (credentials.life() or SHORTEST) > timedelta(days=36500)


async def test_a_socket_is_replaced_before_its_token_ends(
    server: ScriptedServer, clock: ManualClock, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Credentials, "life", lambda _: timedelta(seconds=300))
    async with connect(token=lambda: "t", heartbeat=timedelta(seconds=6600)) as client:
        handle = await client.submit("report")
        await clock.let_pass(300)
        await server.until(lambda: len(server.headers) == 2 and len(server.sockets) == 1)
        server.append("r1", "RequestCompleted", result=1)
        await server.push("r1", 1, 2)
        assert await handle.result() == 1
