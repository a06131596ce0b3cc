"""What a post to a socket costs: our own lines against one boto3 call each in 32 threads, on a loopback sink.

The sink is another process, so its work does not count, and each way has a process of its own. The ways take turns.
"""

import asyncio
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from bench.results import Row
from local.environment import clean

FRAME: Final = json.dumps({"type": "event", "data": "x" * 600})
ANSWER: Final = b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 08:24:41 GMT\r\nContent-Length: 0\r\n\r\n"
THREADS: Final = 32
PATIENCE_S: Final = 120.0


class _Sink(asyncio.Protocol):
    """Answers every post with 200, and reads no more of it than it must."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._transport.write(ANSWER)  # type: ignore[attr-defined]


def _serve(told: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_Sink, "127.0.0.1", 0, backlog=1024)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def sink() -> Iterator[str]:
    """A process that takes every post; the address of its stage."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{_told(here)}/live"
    finally:
        process.terminate()
        process.join()


def own_lines(url: str, names: list[str], rounds: int) -> None:
    """Post as the fan-out does, with all that its function loads."""
    import handlers.notify_subscribers  # noqa: F401, PLC0415 - each way in a process of its own, with what it needs
    from adapters import aws  # noqa: PLC0415 - likewise
    from adapters.broadcast import Broadcast  # noqa: PLC0415 - likewise
    from adapters.clock import Clock  # noqa: PLC0415 - likewise

    broadcast = Broadcast(aws.signer(url), Clock())
    for _ in range(rounds):
        queues = broadcast.post(dict.fromkeys(names, (FRAME,)), until=time.monotonic() + 60)
        assert all(queue.sent == 1 for queue in queues)
    broadcast.close()


def boto3_calls(url: str, names: list[str], rounds: int) -> None:
    """Post with one call of the SDK each."""
    from adapters import aws  # noqa: PLC0415 - likewise
    from adapters.websocket import Sockets  # noqa: PLC0415 - likewise

    sockets = Sockets(aws.sockets(url))
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(rounds):
            list(pool.map(lambda name: sockets.post(name, FRAME), names))


def _measure(
    way: Callable[[str, list[str], int], None], url: str, connections: int, rounds: int, told: Connection
) -> None:
    """Tell posts a CPU second, and the most memory in MB that the process has used."""
    names = [f"L0SM9cOFvHc{n:04}=" for n in range(connections)]
    way(url, names, 1)  # imports, connects
    cpu = time.process_time()
    way(url, names, rounds)
    used = time.process_time() - cpu
    told.send((connections * rounds / used, _peak_mb()))


def _peak_mb() -> float:
    """The most memory that this process has used; getrusage also counts what its parent had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measured(connections: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Posts a CPU second and memory of both ways."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    figures: dict[str, tuple[float, float]] = {}
    with sink() as url:
        for way in (own_lines, boto3_calls):
            one = context.Process(target=_measure, args=(way, url, connections, rounds, there))
            with patch.dict(os.environ, clean(), clear=True):
                one.start()
            figures[way.__name__] = _told(here)
            one.join()
    return figures


def _told(here: Connection) -> Any:
    """What a process tells; an error when it says nothing, for it may have died."""
    if not here.poll(PATIENCE_S):
        raise RuntimeError("a process of the bench says nothing")
    return here.recv()


def rows() -> list[Row]:
    """One frame to each of 1,000 connections."""
    figures = measured(1000, 10)
    (ours, memory), (theirs, of_peer) = figures["own_lines"], figures["boto3_calls"]
    return [
        Row("posts to 1,000 connections", ours, theirs, "posts/CPU s", "ratio >= 6"),
        Row("memory of posting to 1,000 connections", memory, of_peer, "MB", "ours <= 150"),
    ]
