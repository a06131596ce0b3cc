"""Much work in few frames: a handle for each submission, whatever became of the others."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from client import NoReply, RequestRejected, StreamerClient, Submission, UnreadableReply
from domain.errors import ErrorCode
from domain.exact_json import FRAME_DEPTH
from domain.protocol import FRAME_LIMIT, FRAME_TARGET, MAX_BATCH
from tests.client.scripted_server import ScriptedServer, error
from tests.client.test_frames import nested

Connect = Callable[..., StreamerClient]


def reports(count: int, **more: Any) -> list[Submission]:
    return [Submission(action="report", payload={"n": n}, **more) for n in range(count)]


async def test_every_submission_gets_a_handle_in_their_order(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handles = await client.submit_many(reports(3, priority=9))
        assert [handle.request_id for handle in handles] == ["r1", "r2", "r3"]
        server.append("r2", "AttemptStarted")
        server.append("r2", "RequestCompleted", result="second")
        for version in range(1, 4):
            await server.push("r2", version)
        assert await handles[1].result() == "second"
    (batch,) = server.received("submit_batch")
    assert [item["payload"] for item in batch["items"]] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert all(item["priority"] == 9 and item["submission_id"] for item in batch["items"])


async def test_more_than_one_frame_can_hold_goes_in_several(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        handles = await client.submit_many(reports(2 * MAX_BATCH + 1))
    assert [len(batch["items"]) for batch in server.received("submit_batch")] == [MAX_BATCH, MAX_BATCH, 1]
    assert [handle.request_id for handle in handles] == [f"r{n}" for n in range(1, 2 * MAX_BATCH + 2)]


async def test_frames_stay_small_and_what_is_large_is_alone(server: ScriptedServer, connect: Connect) -> None:
    sizes = [100, FRAME_TARGET // 2, FRAME_TARGET // 2, 100, 2 * FRAME_TARGET, 100]
    async with connect() as client:
        await client.submit_many([Submission(action="report", payload="x" * size) for size in sizes])
    sent = [[len(item["payload"]) for item in batch["items"]] for batch in server.received("submit_batch")]
    assert sent == [sizes[:2], sizes[2:4], sizes[4:5], sizes[5:]]


async def test_nothing_to_submit_sends_nothing(server: ScriptedServer, connect: Connect) -> None:
    async with connect() as client:
        assert list(await client.submit_many([])) == []
    assert server.frames == []


async def test_one_that_is_refused_says_so_and_the_others_go_on(server: ScriptedServer, connect: Connect) -> None:
    def second_refused(frame: dict[str, Any], socket: Any) -> dict[str, Any]:
        items = [server._submit(item, socket) for item in frame["items"]]
        return {"type": "acks", "items": [items[0], error("INVALID_ACTION", "unknown action"), items[2]]}

    server.on["submit_batch"] = second_refused
    async with connect() as client:
        first, refused, third = await client.submit_many(reports(3))
        assert (first.refusal, third.refusal) == (None, None)
        assert refused.refusal is not None
        with pytest.raises(RequestRejected, match="unknown action") as told:
            await refused.result()
        assert told.value.code is ErrorCode.INVALID_ACTION
        with pytest.raises(RequestRejected):
            await anext(refused)


@pytest.mark.parametrize(
    "payload", ["x" * FRAME_LIMIT, object(), nested(FRAME_DEPTH - 2)], ids=["too large", "no value", "too deep"]
)
async def test_one_that_cannot_be_sent_is_refused_alone(connect: Connect, payload: object) -> None:
    submissions = [*reports(1), Submission(action="report", payload=payload), *reports(1)]
    async with connect() as client:
        handles = await client.submit_many(submissions)
    assert [handle.refusal is None for handle in handles] == [True, False, True]


async def test_a_batch_whose_reply_was_lost_is_sent_again_and_taken_in_once(
    server: ScriptedServer, connect: Connect
) -> None:
    def lost(frame: dict[str, Any], socket: Any) -> None:
        for item in frame["items"]:
            server._submit(item, socket)
        del server.on["submit_batch"]
        socket.transport.abort()

    server.on["submit_batch"] = lost
    async with connect() as client:
        handles = await client.submit_many(reports(3))
        assert [handle.request_id for handle in handles] == ["r1", "r2", "r3"]
        update = await anext(handles[2])
        assert (update.version, update.type) == (1, "RequestSubmitted")
    assert len(server.received("submit_batch")) == 2
    assert list(server.logs) == ["r1", "r2", "r3"]


@pytest.mark.parametrize("items", [[], [{"type": "ack"}], [{"type": "error", "code": "NO_CODE", "message": ""}]])
async def test_replies_that_do_not_fit_are_an_error(
    server: ScriptedServer, connect: Connect, items: list[dict[str, Any]]
) -> None:
    server.on["submit_batch"] = lambda *_: {"type": "acks", "items": items}
    async with connect() as client:
        with pytest.raises(UnreadableReply):
            await client.submit_many(reports(1))


def only_the_first(server: ScriptedServer) -> None:
    """Answer one batch, and no other."""

    def first(frame: dict[str, Any], socket: Any) -> Any:
        server.on["submit_batch"] = lambda *_: None
        return server._submit_batch(frame, socket)

    server.on["submit_batch"] = first


async def test_what_was_taken_in_is_watched_whatever_became_of_the_rest(
    server: ScriptedServer, connect: Connect
) -> None:
    only_the_first(server)
    async with connect(reply_timeout=timedelta(0)) as client:
        handles = await client.submit_many(reports(2 * MAX_BATCH + 1))
        assert [handle.request_id for handle in handles[:MAX_BATCH]] == [f"r{n}" for n in range(1, MAX_BATCH + 1)]
        assert {handle.error for handle in handles[:MAX_BATCH]} == {None}
        rest = handles[MAX_BATCH:]
        assert len(rest) == MAX_BATCH + 1
        assert all(isinstance(handle.error, NoReply) and handle.refusal is None for handle in rest)
        with pytest.raises(NoReply):
            await rest[-1].result()
        server.append("r1", "RequestCompleted", result="first")
        await server.push("r1", 1, 2)
        assert await handles[0].result() == "first"
    sent = server.received("submit_batch")
    assert all(len(batch["items"]) == MAX_BATCH for batch in sent)  # the third is not sent any more


async def test_the_first_batch_without_an_answer_is_an_error(server: ScriptedServer, connect: Connect) -> None:
    server.on["submit_batch"] = lambda *_: None
    async with connect(reply_timeout=timedelta(0)) as client:
        with pytest.raises(NoReply):
            await client.submit_many(reports(MAX_BATCH + 1))
