"""A line is kept as long as its answers can be told apart; what else a server may send never hangs or lies."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from adapters.http_lines import Lines, NoAnswer, TooSlow

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers each request with the next of the given bytes, None hangs up; counts connects."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.connects = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until it ends."""
        self.connects += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                answer = self.answers.pop(0)
                if answer is None:
                    break
                for byte in answer:  # as slowly as TCP may
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the line hung up
        finally:
            writer.close()


@asynccontextmanager
async def answering(*answers: bytes | None) -> AsyncIterator[tuple[Server, Lines]]:
    server = Server(*answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        lines = Lines(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/live", 30)
        yield server, lines
        await lines.close()


REQUEST = b"POST /live/@connections/c HTTP/1.1\r\n\r\n"


async def test_a_line_is_used_again() -> None:
    gone = b'HTTP/1.1 410 Gone\r\nx: y\r\ncontent-LENGTH:  7\r\n\r\n{"a":1}'
    async with answering(OK, gone, OK) as (server, lines):
        assert [await lines.ask(REQUEST) for _ in range(3)] == [200, 410, 200]
        assert server.connects == 1


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
    ],
    ids=["closing", "chunked", "until the end"],
)
async def test_a_line_whose_answer_has_no_told_end_is_not(last: bytes) -> None:
    async with answering(last, OK) as (server, lines):
        assert [await lines.ask(REQUEST) for _ in range(2)] == [200, 200]
        assert server.connects == 2


async def test_what_comes_before_the_answer_is_passed_over() -> None:
    async with answering(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK) as (
        _,
        lines,
    ):
        assert await lines.ask(REQUEST) == 200


async def test_a_kept_line_that_was_closed_meanwhile_is_replaced() -> None:
    async with answering(OK, None, OK) as (server, lines):
        assert await lines.ask(REQUEST) == 200
        assert await lines.ask(REQUEST) == 200
        assert server.connects == 2


@pytest.mark.parametrize(
    "answer", [None, b"SSH-2.0-OpenSSH\r\n\r\n", b"x" * 70_000], ids=["hangs up", "SSH", "endless"]
)
async def test_a_server_that_does_not_speak_http_is_no_answer(answer: bytes | None) -> None:
    async with answering(answer) as (_, lines):
        with pytest.raises(NoAnswer):
            await lines.ask(REQUEST)


async def test_an_answer_that_does_not_come_in_time_is_no_answer_and_is_not_asked_for_again() -> None:
    async with answering(OK, b"") as (server, lines):
        assert await lines.ask(REQUEST) == 200
        lines.timeout_s = 0.01
        with pytest.raises(TooSlow):
            await lines.ask(REQUEST)
        assert server.connects == 1


async def test_a_kept_line_that_died_silently_takes_the_others_with_it() -> None:
    async with answering(OK, OK, OK, b"", OK) as (server, lines):
        await asyncio.gather(*(lines.ask(REQUEST) for _ in range(3)))
        lines.timeout_s = 0.01
        with pytest.raises(TooSlow):
            await lines.ask(REQUEST)
        lines.timeout_s = 30
        connects = server.connects
        assert await lines.ask(REQUEST) == 200
        assert server.connects == connects + 1


async def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(NoAnswer):
        await Lines("http://127.0.0.1:1/live", 30).ask(REQUEST)
