"""A proxy that the environment names is asked for what is elsewhere, and not for what is on this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from client import Backoff, ConnectionLost, StreamerClient
from client.download import downloaded
from client.proxies import is_near
from client.tickets import tickets_from
from domain.instant import EPOCH
from tests.client.scripted_server import ManualClock, ScriptedServer

Connect = Callable[..., StreamerClient]


class Proxy:
    """A proxy that lets nothing through."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[0])
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        writer.close()


@pytest.fixture(autouse=True)
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    made = Proxy()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    yield made
    server.close()
    await server.wait_closed()


async def test_what_is_on_this_machine_is_reached_directly(
    server: ScriptedServer, connect: Connect, proxy: Proxy
) -> None:
    base = server.url.replace("ws://", "http://").replace("/stage", "")
    server.files |= {"/result": "[1]"}
    async with connect() as client:
        assert await client.ping() == EPOCH
    assert await downloaded(f"{base}/result") == [1]
    with pytest.raises(ConnectionLost):
        await asyncio.to_thread(tickets_from(f"{base}/ticket", "t"))  # nobody takes a POST there
    assert proxy.asked == []


async def test_what_is_elsewhere_is_reached_through_the_proxy(clock: ManualClock, proxy: Proxy) -> None:
    with pytest.raises(ConnectionLost):
        await asyncio.to_thread(tickets_from("http://streamer.example/ticket", "t"))
    with pytest.raises(ConnectionLost):
        async with StreamerClient("ws://streamer.example/", token="t", backoff=Backoff(sleep=clock.sleep)):
            pytest.fail("connected")
    assert proxy.asked[0].startswith("POST http://streamer.example/ticket")
    assert set(proxy.asked[1:]) == {"CONNECT streamer.example:80 HTTP/1.1"}


async def test_a_proxy_that_nothing_here_can_speak_to_is_no_connection(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5h://127.0.0.1:1")
    with pytest.raises(ConnectionLost):
        async with StreamerClient("wss://streamer.example/", token="t", backoff=Backoff(sleep=clock.sleep)):
            pytest.fail("connected")


NEAR = [
    "ws://127.0.0.1:8000/",
    "http://127.9.9.9/",
    "http://[::1]:80/",
    "http://LOCALHOST:4566/",
    "http://a.localhost/",
]
FAR = ["https://localhost.example/", "https://10.0.0.1/", "nowhere"]


def test_this_machine_is_known_by_its_names_and_numbers() -> None:
    assert [url for url in (*NEAR, *FAR) if is_near(url)] == NEAR
