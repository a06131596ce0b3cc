"""A worker's process is killed in the middle of a request: the request runs again."""

import asyncio
import os
import signal
from pathlib import Path

from client.handle import Handle
from local.aws import session
from local.stack import Stack
from tests.stack.conftest import Connect

TURNS = 120  # a bound for a sweeper that never finds it


def workers_of(stack: Stack, function: str) -> list[int]:
    """The processes that run a function: the emulator's children whose environment names it."""
    named = f"AWS_LAMBDA_FUNCTION_NAME=streamer-{function}-".encode()
    found = []
    for process in Path("/proc").iterdir():
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == stack.pid and named in (process / "environ").read_bytes():
                found.append(int(process.name))
        except (OSError, ValueError):
            continue  # not a process, or one that has ended meanwhile
    return found


def sweep(stack: Stack) -> None:
    """Have the sweeper take its turn now."""
    functions = session().client("lambda", endpoint_url=stack.endpoint_url)
    for page in functions.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if "-Sweep-" in function["FunctionName"]:
                functions.invoke(FunctionName=function["FunctionName"])


async def seen(handle: Handle, kind: str) -> None:
    """Read updates up to one of a kind."""
    async for update in handle:
        if update.type == kind:
            return


async def test_a_request_whose_worker_was_killed_runs_again_and_completes(connect: Connect, stack: Stack) -> None:
    client = await connect()
    handle = await client.submit("delay", {"seconds": 4, "steps": 16})
    await seen(handle, "ProgressReported")
    for process in workers_of(stack, "Work"):
        os.kill(process, signal.SIGKILL)
    lost = asyncio.create_task(seen(handle, "AttemptFailed"))
    for _ in range(TURNS):
        await asyncio.to_thread(sweep, stack)
        if (await asyncio.wait((lost,), timeout=0.5))[0]:
            break
    assert await handle.result() == {"waited_s": 4, "steps": 16, "attempt": 2}
    events = await client.history(handle.request_id)
    failed = [event.data["error"]["code"] for event in events if event.type == "AttemptFailed"]
    assert failed == ["LEASE_EXPIRED"]
