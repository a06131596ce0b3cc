"""The main job on real parts: submitted over a socket, run by a worker, watched live."""

import asyncio
from collections.abc import Sequence

import pytest

from client import RequestCancelled, RequestFailed, RequestRejected, Submission
from client.handle import Handle
from client.updates import Update
from tests.stack.conftest import Connect


async def all_updates(handle: Handle) -> list[Update]:
    return [update async for update in handle]


def covered(updates: Sequence[Update]) -> list[int]:
    """Every version that the updates stand for."""
    return [version for update in updates for version in range(update.from_version, update.version + 1)]


async def test_a_request_is_watched_from_its_submission_to_its_result_without_a_gap(connect: Connect) -> None:
    client = await connect()
    handle = await client.submit("delay", {"seconds": 1, "steps": 4})
    updates = await all_updates(handle)
    assert covered(updates) == list(range(1, updates[-1].version + 1))
    assert [updates[0].type, updates[1].type, updates[-1].type] == [
        "RequestSubmitted",
        "AttemptStarted",
        "RequestCompleted",
    ]
    percents = [update.percent for update in updates if update.type == "ProgressReported"]
    assert percents == sorted(percents, key=lambda percent: percent or 0)
    assert await handle.result() == {"waited_s": 1, "steps": 4, "attempt": 1}


async def test_a_synchronous_action_answers_in_its_reply_with_numbers_kept_exactly(connect: Connect) -> None:
    client = await connect()
    exact = {"large": 2**53 + 1, "nested": [None, True, "ü"]}
    assert await client.call("echo", exact) == exact


async def test_a_queued_echo_gives_back_a_payload_too_large_for_an_event(connect: Connect) -> None:
    client = await connect()
    large = {"text": "x" * 50_000}
    handle = await client.submit("echo_async", large)
    assert await handle.result() == large


async def test_another_device_that_comes_later_sees_the_same_events_in_the_same_order(connect: Connect) -> None:
    first, second = await connect(), await connect()
    handle = await first.submit("delay", {"seconds": 1, "steps": 3})
    live = await all_updates(handle)
    later = await all_updates(await second.subscribe(handle.request_id))
    assert covered(later) == covered(live)
    assert later[-1].data == live[-1].data


async def test_a_watcher_resumes_after_the_version_it_has(connect: Connect) -> None:
    client = await connect()
    handle = await client.submit("delay", {"seconds": 0, "steps": 3})
    updates = await all_updates(handle)
    resumed = await all_updates(await (await connect()).subscribe(handle.request_id, after=2))
    assert covered(resumed) == list(range(3, updates[-1].version + 1))


async def test_a_running_request_is_cancelled_and_a_second_cancel_changes_nothing(connect: Connect) -> None:
    client = await connect()
    handle = await client.submit("delay", {"seconds": 60, "steps": 200})
    async for update in handle:
        if update.type == "AttemptStarted":
            await handle.cancel("changed my mind")
            await handle.cancel("changed my mind")
    with pytest.raises(RequestCancelled):
        await handle.result()
    types = [event.type for event in await client.history(handle.request_id)]
    assert types.count("CancelRequested") == 1
    assert types[-1] == "RequestCancelled"


async def test_a_request_that_waits_is_cancelled_at_once(connect: Connect) -> None:
    client = await connect()
    handle = await client.submit("delay", {}, delay_s=600)
    ack = await handle.cancel()
    assert ack.status == "CANCELLED"


async def test_a_request_fails_after_its_last_attempt_and_tells_the_error(connect: Connect) -> None:
    client = await connect()
    handle = await client.submit("delay", {"seconds": 0, "steps": 2, "fail_attempts": 9}, max_attempts=2)
    with pytest.raises(RequestFailed) as failed:
        await handle.result()
    assert failed.value.error == {"code": "ACTION_RETRY", "message": "Told to fail in attempt 2"}
    types = [event.type for event in await client.history(handle.request_id)]
    assert [types.count("AttemptStarted"), types.count("AttemptFailed"), types[-1]] == [2, 1, "RequestFailed"]


async def test_the_same_idempotency_key_gives_the_same_request_and_another_payload_is_refused(
    connect: Connect,
) -> None:
    client = await connect()
    first = await client.submit("echo_async", {"n": 1}, idempotency_key="k")
    again = await client.submit("echo_async", {"n": 1}, idempotency_key="k")
    assert again.request_id == first.request_id
    assert await again.result() == {"n": 1}
    with pytest.raises(RequestRejected) as refused:
        await client.submit("echo_async", {"n": 2}, idempotency_key="k")
    assert refused.value.code == "CONFLICT"


async def test_many_requests_at_once_all_complete_each_with_its_own_result(connect: Connect) -> None:
    client = await connect()
    handles = await asyncio.gather(*(client.submit("echo_async", {"n": n}) for n in range(20)))
    assert [await handle.result() for handle in handles] == [{"n": n} for n in range(20)]


async def test_a_batch_is_as_many_requests_as_it_has_items_and_one_that_is_refused_is_none(connect: Connect) -> None:
    client = await connect()
    good = [Submission(action="echo_async", payload={"n": n}) for n in range(29)]
    *handles, refused = await client.submit_many([*good, Submission(action="echo", payload=1)])
    assert [await handle.result() for handle in handles] == [{"n": n} for n in range(29)]
    assert refused.refusal is not None
    assert refused.refusal.code == "VALIDATION_ERROR"


async def test_a_running_request_ends_when_the_time_it_was_given_is_over(connect: Connect) -> None:
    client = await connect()
    handle = await client.submit("delay", {"seconds": 600, "steps": 1}, timeout_s=3)
    with pytest.raises(RequestFailed) as failed:
        await handle.result()
    assert failed.value.error["code"] == "TIMEOUT"
    types = [event.type for event in await client.history(handle.request_id)]
    assert types[-1] == "RequestFailed"
    assert "AttemptFailed" not in types


async def test_a_table_is_processed_and_its_content_returned(connect: Connect) -> None:
    client = await connect()
    result = await client.call(
        "process_data",
        {
            "csv": "city,amount\nRome,2\nOslo,3\nRome,40.5\n",
            "operations": [
                {
                    "op": "aggregate",
                    "by": ["city"],
                    "measures": [{"column": "amount", "function": "sum", "as": "total"}],
                },
                {"op": "sort", "by": ["city"]},
            ],
            "output": "csv",
        },
    )
    assert result["content"].splitlines() == ["city,total", "Oslo,3", "Rome,42.5"]
