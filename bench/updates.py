"""What an update costs the Python client: one request's pushes over one socket, as fast as they come.

The server is another process. The peer is a bare `websockets` loop that decodes each frame with json.
"""

import asyncio
import json
import multiprocessing
import time
from multiprocessing.connection import Connection
from typing import Any, Final

from bench.results import Row

ROUNDS: Final = 3
PATIENCE_S: Final = 120.0
AT: Final = "2026-11-22T08:24:41.120Z"


def push(version: int, last: int) -> str:
    """The frame of one version: progress, and at the end the completion."""
    is_last = version == last
    state: dict[str, Any] = {
        "status": "COMPLETED" if is_last else "PROCESSING",
        "attempt": 1,
        "percent": 12.5,
        "message": "Working",
    }
    state |= {"action": "delay", "submitted_at": AT, "updated_at": AT, "priority": 5, "max_attempts": 3}
    event: dict[str, Any] = {
        "version": version,
        "type": "RequestCompleted" if is_last else "ProgressReported",
        "at": AT,
    }
    event["data"] = {"percent": 12.5, "message": "Working", "attempt": 1}
    frame: dict[str, Any] = {"type": "event", "request_id": "r1", "from_version": version, "version": version}
    return json.dumps({**frame, "user_id": "ann", "event": event, "state": state})


def _serve(told: Connection, count: int) -> None:
    from websockets.asyncio.server import ServerConnection, serve  # noqa: PLC0415 - only this process needs it

    async def answer(socket: ServerConnection) -> None:
        frames = [push(version, count) for version in range(1, count + 1)]
        frame = json.loads(await socket.recv())
        ack = {"type": "ack", "id": frame["id"], "request_id": "r1", "status": "PENDING", "version": 1}
        await socket.send(json.dumps(ack))
        for text in frames:
            await socket.send(text)
        await socket.wait_closed()

    async def run() -> None:
        async with serve(answer, "127.0.0.1", 0, compression=None) as server:
            told.send(next(iter(server.sockets)).getsockname()[1])
            await server.serve_forever()

    asyncio.run(run())


async def _follow(url: str) -> tuple[int, float]:
    """Our client: how many updates it told of, each once and in order, and CPU seconds."""
    from client import StreamerClient  # noqa: PLC0415 - not in the server's process

    async with StreamerClient(url, token="bench") as client:  # noqa: S106 - nobody looks at it
        handle = await client.submit("delay")
        cpu = time.process_time()
        seen = [update.version async for update in handle]
        used = time.process_time() - cpu
    assert seen == list(range(1, len(seen) + 1))
    return len(seen), used


async def _loop(url: str) -> tuple[int, float]:
    """The bare loop: how many frames it decoded until the completion, and CPU seconds."""
    from websockets.asyncio.client import connect  # noqa: PLC0415 - not in the server's process

    async with connect(url, compression=None) as socket:
        await socket.send(json.dumps({"type": "submit", "id": "1", "action": "delay"}))
        await socket.recv()
        cpu, seen = time.process_time(), 0
        async for text in socket:
            seen += 1
            if json.loads(text)["state"]["status"] == "COMPLETED":
                break
        return seen, time.process_time() - cpu


def _told(here: Connection) -> Any:
    """What a process tells; an error when it says nothing, for it may have died."""
    if not here.poll(PATIENCE_S):
        raise RuntimeError("a process of the bench says nothing")
    return here.recv()


def rows(count: int = 10_000) -> list[Row]:
    """Microseconds of CPU an update."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(there, count), daemon=True)
    server.start()
    try:
        url = f"ws://127.0.0.1:{_told(here)}/"
        spent: dict[str, list[float]] = {"ours": [], "peer": []}
        for _ in range(ROUNDS):
            for name, way in (("ours", _follow), ("peer", _loop)):
                seen, used = asyncio.run(way(url))
                assert seen == count
                spent[name].append(1e6 * used / seen)
    finally:
        server.terminate()
        server.join()
    return [Row("an update in the client", min(spent["ours"]), min(spent["peer"]), "CPU us", "ratio <= 3")]
