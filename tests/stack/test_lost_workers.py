"""A worker's process is killed or frozen in the middle of a request: the request runs again, and ends once."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from client.handle import Handle
from domain import exact_json
from local.stack import Stack
from tests.kit.stacks import processes_of, sweep
from tests.kit.waiting import becomes_true
from tests.stack.conftest import Connect

TURNS = 240  # a bound for what never comes
SLOW = {"seconds": 4, "steps": 16}


async def seen(handle: Handle, kind: str) -> None:
    """Read updates up to one of a kind."""
    async for update in handle:
        if update.type == kind:
            return
    raise AssertionError(f"{handle.request_id} ended without {kind}")


async def swept_until(stack: Stack, event: Awaitable[None]) -> None:
    """Have the sweeper take its turns until something happened."""
    waiting = asyncio.ensure_future(event)
    for _ in range(TURNS):
        await asyncio.to_thread(sweep, stack)
        if (await asyncio.wait((waiting,), timeout=0.5))[0]:
            return await waiting
    raise AssertionError("the sweeper never finds it")


async def test_a_request_whose_worker_was_killed_runs_again_and_completes(connect: Connect, stack: Stack) -> None:
    client = await connect()
    handle = await client.submit("delay", SLOW)
    await seen(handle, "ProgressReported")
    for process in processes_of(stack, "Work"):
        os.kill(process, signal.SIGKILL)
    await swept_until(stack, seen(handle, "AttemptFailed"))
    assert await handle.result() == {"waited_s": 4, "steps": 16, "attempt": 2}
    events = await client.history(handle.request_id)
    failed = [event.data["error"]["code"] for event in events if event.type == "AttemptFailed"]
    assert failed == ["LEASE_EXPIRED"]


@pytest.fixture
def freeze(stack: Stack) -> Iterator[Callable[[], Callable[[], None]]]:
    """Stop all workers that there are, and give what lets them go on; at the latest they do when the test ends."""
    frozen: list[int] = []

    def thaw() -> None:
        while frozen:
            os.kill(frozen.pop(), signal.SIGCONT)

    def freeze() -> Callable[[], None]:
        for process in processes_of(stack, "Work"):
            os.kill(process, signal.SIGSTOP)
            frozen.append(process)
        return thaw

    yield freeze
    thaw()


async def test_a_worker_that_was_frozen_past_its_lease_comes_back_late_and_cannot_write(
    connect: Connect, stack: Stack, freeze: Callable[[], Callable[[], None]]
) -> None:
    for idle in processes_of(stack, "Work"):
        os.kill(
            idle, signal.SIGKILL
        )  # the one to be frozen is the only one: an idle one would be handed the next token
    client = await connect()
    handle = await client.submit("delay", SLOW)
    await seen(handle, "ProgressReported")
    thaw = freeze()
    await swept_until(stack, seen(handle, "AttemptFailed"))
    assert await handle.result() == {"waited_s": 4, "steps": 16, "attempt": 2}
    before = await client.history(handle.request_id)

    thaw()
    await becomes_true(lambda: attempts_told(stack, handle.request_id) == [2, 1])

    assert await client.history(handle.request_id) == before
    types = [event.type for event in before]
    assert [kind for kind in types if kind in ("AttemptStarted", "AttemptFailed", "RequestCompleted")] == [
        "AttemptStarted",
        "AttemptFailed",
        "AttemptStarted",
        "RequestCompleted",
    ]
    assert types[-1] == "RequestCompleted"


def attempts_told(stack: Stack, request_id: str) -> list[int]:
    """The attempts at a request that workers have put behind them, as their function's log tells."""
    lines = Path(stack.log_dir, "functions.log").read_text(encoding="utf-8").splitlines()
    told = [exact_json.decode(line.removeprefix("Work ")) for line in lines if request_id in line and "ended" in line]
    return [entry["attempt"] for entry in told if entry["message"].startswith("action ended")]
