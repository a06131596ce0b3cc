"""What a post to a socket costs: our own lines against one boto3 call each in 32 threads, on a loopback sink.

    python -m bench.posts [CONNECTIONS] [ROUNDS]

The sink is another process, so its work does not count. A line for each way: posts, seconds, CPU seconds of the posting
process, posts a CPU second, and the most memory that the process has used until then.
"""

import asyncio
import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Final

FRAME: Final = json.dumps({"type": "event", "data": "x" * 600})
ANSWER: Final = b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 08:24:41 GMT\r\nContent-Length: 0\r\n\r\n"
THREADS: Final = 32


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


def _measure(way: Callable[[str, list[str], int], None], url: str, connections: int, rounds: int) -> None:
    names = [f"L0SM9cOFvHc{n:04}=" for n in range(connections)]
    way(url, names, 1)  # imports, connects
    start, cpu = time.perf_counter(), time.process_time()
    way(url, names, rounds)
    took, used = time.perf_counter() - start, time.process_time() - cpu
    posts = connections * rounds
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{way.__name__:12} {posts:7} posts {took:7.2f} s {used:7.2f} CPU s "
        f"{posts / used:8.0f} posts/CPU s {memory:6.0f} MB",
        flush=True,
    )


def main(connections: int = 1000, rounds: int = 10) -> None:
    """Measure both."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "eu-west-1"}
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    sink = context.Process(target=_serve, args=(there,), daemon=True)
    sink.start()
    url = f"http://127.0.0.1:{here.recv()}/live"
    try:
        for way in (own_lines, boto3_calls):
            one = context.Process(target=_measure, args=(way, url, connections, rounds))
            one.start()
            one.join()
    finally:
        sink.terminate()
        sink.join()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
