"""What an update costs the Python client: one request's pushes over one socket, as fast as they come.

    python -m bench.updates [UPDATES]

The server is another process. Printed: updates, seconds, CPU seconds of the client's process, updates a CPU second.
"""

import asyncio
import json
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection
from typing import Any, Final

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


async def _follow(url: str) -> tuple[int, float, float]:
    from client import StreamerClient  # noqa: PLC0415 - not in the server's process

    async with StreamerClient(url, token="bench") as client:  # noqa: S106 - nobody looks at it
        handle = await client.submit("delay")
        start, cpu = time.perf_counter(), time.process_time()
        seen = [update.version async for update in handle]
        took, used = time.perf_counter() - start, time.process_time() - cpu
    if seen != list(range(1, len(seen) + 1)):
        raise SystemExit("versions are missing")
    return len(seen), took, used


def main(count: int = 20_000) -> None:
    """Measure."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=_serve, args=(there, count), daemon=True)
    server.start()
    try:
        seen, took, used = asyncio.run(_follow(f"ws://127.0.0.1:{here.recv()}/"))
        print(f"{seen} updates {took:.2f} s {used:.2f} CPU s {seen / used:.0f} updates/CPU s")
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
