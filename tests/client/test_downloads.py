"""A result that is too large for a frame is fetched by its link, while somebody wants it, and not without bound."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from client import StillRunning, StreamerClient, UnreadableReply
from client.download import downloaded
from domain.validity import LARGEST_JSON
from tests.client.scripted_server import ScriptedServer

Connect = Callable[..., StreamerClient]


class Slow:
    """A web server whose answer to everything is a number of 99 digits, of which each comes when the test says so."""

    def __init__(self) -> None:
        self.url = ""
        self.asked, self.left = asyncio.Event(), asyncio.Event()
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()

    def send(self, piece: bytes) -> None:
        self._pieces.put_nowait(piece)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
        self.asked.set()
        sending = asyncio.create_task(self._send(writer))
        await reader.read()
        self.left.set()
        sending.cancel()
        writer.close()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        while piece := await self._pieces.get():
            writer.write(piece)
        writer.close()


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    made = Slow()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    made.url = f"http://{host}:{port}/result"
    yield made
    made.send(b"")
    server.close()
    await server.wait_closed()


@asynccontextmanager
async def completed(server: ScriptedServer, connect: Connect, *links: str) -> AsyncIterator[StreamerClient]:
    """A client of a server whose request `done` has a result behind links, a new one each time."""
    left = list(links)
    server.append("done", "RequestSubmitted")
    server.append("done", "RequestCompleted", result_ref="key")
    server.on["get"] = lambda frame, socket: {**server._get(frame, socket), "result": None, "result_url": left.pop(0)}
    async with connect() as client:
        yield client


def link(server: ScriptedServer, name: str) -> str:
    return server.url.replace("ws://", "http://").replace("/stage", f"/{name}")


@pytest.mark.parametrize(("content", "expected"), [('{"rows": [0.10]}', "0.10"), ("not JSON", None)])
async def test_a_result_too_large_for_a_frame_is_downloaded(
    server: ScriptedServer, connect: Connect, content: str, expected: str | None
) -> None:
    server.files["/result"] = content
    async with completed(server, connect, *[link(server, "result")] * 2) as client:
        handle = await client.subscribe("done")
        if expected is None:
            with pytest.raises(UnreadableReply):
                await handle.result()
        else:
            assert str((await handle.result())["rows"][0]) == expected


async def test_a_link_that_has_ended_is_replaced_by_a_new_one(server: ScriptedServer, connect: Connect) -> None:
    server.files["/fresh"] = "[1]"
    async with completed(server, connect, link(server, "ended"), link(server, "fresh")) as client:
        handle = await client.subscribe("done")
        server.refusals = [403]
        assert await handle.result() == [1]


async def test_what_is_larger_than_any_result_is_not_read_to_its_end(server: ScriptedServer) -> None:
    server.files |= {"/large": "1".rjust(LARGEST_JSON), "/larger": "1".rjust(LARGEST_JSON + 1)}
    assert await downloaded(link(server, "large")) == 1
    with pytest.raises(UnreadableReply):
        await downloaded(link(server, "larger"))


async def test_what_ends_too_early_is_no_result(slow: Slow) -> None:
    slow.send(b"1")
    slow.send(b"")
    with pytest.raises(UnreadableReply):
        await downloaded(slow.url)


async def test_what_takes_too_long_in_all_is_given_up(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.download._LONGEST_S", 0)
    slow.send(b"1")
    with pytest.raises(UnreadableReply):
        await downloaded(slow.url)
    await slow.left.wait()


async def test_a_download_that_nobody_wants_any_more_is_left(slow: Slow) -> None:
    download = asyncio.create_task(downloaded(slow.url))
    await slow.asked.wait()
    download.cancel()
    await asyncio.wait((download,))
    slow.send(b"1")
    await slow.left.wait()


async def test_who_waits_no_longer_hears_whether_the_request_has_ended(
    server: ScriptedServer, connect: Connect, slow: Slow
) -> None:
    async with completed(server, connect, slow.url) as client:
        with pytest.raises(StillRunning, match="it has not ended yet"):
            await (await client.submit("report")).result(within=0)
        with pytest.raises(StillRunning, match="it has ended"):
            await (await client.subscribe("done")).result(within=0)


@pytest.mark.parametrize("url", ["http://[::1/x", "http://127.0.0.1:port/x", "http:///x", "file:///etc/passwd"])
async def test_a_link_that_is_none_cannot_be_followed(url: str) -> None:
    with pytest.raises(UnreadableReply):
        await downloaded(url)
