"""The client without asyncio does what the other one does, and waits for it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any

import pytest

from client import Backoff, ConnectionLost, ConnectRefused, RequestFailed, StillRunning, sync
from client import StreamerClient as AsyncClient
from client.handle import Handle as AsyncHandle
from client.topic_watch import TopicWatch as AsyncTopicWatch
from domain.instant import EPOCH
from tests.client.conftest import PATIENCE
from tests.client.scripted_server import HELD, ScriptedServer, error


class Beside:
    """A scripted server in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.server = ScriptedServer()
        self.run(self.server.__aenter__())

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def append_and_push(self, request_id: str, *types: str, **data: Any) -> None:
        """Add events, and push each."""
        for name in types:
            version = self.server.append(request_id, name, **data)
            self.run(self.server.push(request_id, version))

    def close(self) -> None:
        self.run(self.server.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def beside() -> Iterator[Beside]:
    made = Beside()
    yield made
    made.close()


@pytest.fixture
def client(beside: Beside) -> Iterator[sync.StreamerClient]:
    with sync.StreamerClient(beside.server.url, token="t") as connected:
        yield connected


def test_a_request_is_followed_to_its_result(beside: Beside, client: sync.StreamerClient) -> None:
    handle = client.submit("report", {"of": "day"}, priority=9)
    beside.run(beside.server.push("r1", 1))
    beside.append_and_push("r1", "AttemptStarted")
    beside.append_and_push("r1", "RequestCompleted", result={"rows": 3})
    assert [update.version for update in handle] == [1, 2, 3]
    assert handle.result() == {"rows": 3}
    assert handle.result(dict[str, int], within=5) == {"rows": 3}
    assert (handle.request_id, handle.version, (handle.state or {})["status"]) == ("r1", 3, "COMPLETED")


def test_errors_are_those_of_the_asynchronous_client(beside: Beside, client: sync.StreamerClient) -> None:
    handle = client.submit("report")
    with pytest.raises(StillRunning):
        handle.result(within=0)
    beside.run(beside.server.push("r1", 1))
    beside.append_and_push("r1", "RequestFailed", error={"code": "BROKEN", "message": "no luck"})
    with pytest.raises(RequestFailed, match="no luck"):
        client.subscribe("r1").result()


def test_everything_else_is_asked_and_answered(beside: Beside, client: sync.StreamerClient) -> None:
    handle = client.submit("report")
    assert client.call("echo", [1], list[int]) == [1]
    assert client.call("echo", [1]) == [1]
    assert client.get("r1").version == 1
    assert [event.version for event in client.history("r1")] == [1]
    assert client.ping() == EPOCH
    assert handle.cancel("enough").status == "CANCELLED"
    handle.close()
    assert list(handle) == []
    beside.server.on["list"] = lambda *_: {"type": "requests", "items": [{"request_id": "r1"}]}
    assert client.list() == [{"request_id": "r1"}]
    beside.server.on["audit"] = lambda *_: {"type": "audit", "items": [{"type": "RequestSubmitted"}]}
    assert client.audit(request_id="r1") == [{"type": "RequestSubmitted"}]
    beside.server.on["metrics"] = lambda *_: {"type": "metrics", "rows": [], "totals": {"submitted": 1}}
    assert client.metrics(EPOCH, EPOCH).totals == {"submitted": 1}
    assert client.cancel("r1").request_id == "r1"


def test_a_topic_is_watched(beside: Beside, client: sync.StreamerClient) -> None:
    watch = client.watch_topic("user#acme#ann")
    beside.append_and_push("a", "RequestSubmitted", "RequestCancelled")
    assert [next(watch).version for _ in range(2)] == [1, 2]
    assert (watch.topic, watch.requests) == ("user#acme#ann", ())
    watch.close()
    assert list(watch) == []


def test_a_client_that_is_refused_leaves_no_thread(beside: Beside) -> None:
    beside.server.refuse_all = 401
    with pytest.raises(ConnectRefused), sync.StreamerClient(beside.server.url, token="t"):
        pytest.fail("connected")
    assert "streamer-client" not in [thread.name for thread in threading.enumerate()]


async def test_a_thread_whose_own_loop_runs_may_use_it_too(beside: Beside) -> None:
    with sync.StreamerClient(beside.server.url, token=lambda: "t") as client:  # as in a notebook
        assert client.ping() == EPOCH


def test_a_client_is_used_in_a_with_block(beside: Beside) -> None:
    with pytest.raises(RuntimeError, match="with"):
        sync.StreamerClient(beside.server.url, token="t").ping()


def test_a_thread_that_waits_for_its_turn_hears_that_the_client_was_closed(beside: Beside) -> None:
    waits, told = threading.Event(), []

    async def sleep(seconds: float) -> None:
        if seconds not in HELD:
            waits.set()
        await asyncio.Event().wait()

    def submit(client: sync.StreamerClient) -> None:
        with pytest.raises(ConnectionLost, match="closed") as lost:
            client.submit("report")
        told.append(lost.value)

    beside.server.on["submit"] = lambda *_: error("RATE_LIMITED", "slow down", retry_after_ms=5000)
    with sync.StreamerClient(beside.server.url, token="t", backoff=Backoff(sleep=sleep)) as client:
        thread = threading.Thread(target=submit, args=(client,), daemon=True)
        thread.start()
        assert waits.wait(PATIENCE)
    thread.join(PATIENCE)
    assert len(told) == 1


def test_what_is_asked_of_a_client_that_was_closed_is_told_so(beside: Beside) -> None:
    with sync.StreamerClient(beside.server.url, token="t") as client:
        handle = client.submit("report")
    for call in (client.ping, handle.result, handle.close, lambda: next(handle)):
        with pytest.raises(ConnectionLost, match="closed"):
            call()


def test_a_client_that_is_entered_again_says_so_and_goes_on(client: sync.StreamerClient) -> None:
    with pytest.raises(RuntimeError, match="once"), client:
        pytest.fail("entered twice")
    assert client.ping() == EPOCH


@pytest.mark.parametrize(
    ("asynchronous", "plain"),
    [
        (AsyncClient, sync.StreamerClient),
        (AsyncHandle, sync.Handle),
        (AsyncTopicWatch, sync.TopicWatch),
    ],
    ids=["client", "handle", "topic"],
)
def test_what_the_one_offers_the_other_does(asynchronous: Callable[..., Any], plain: Callable[..., Any]) -> None:
    inner = {"answered", "catch_up", "end", "fail", "give", "pushed", "resume", "subscribe", "tick"}
    inner = inner if asynchronous is not AsyncClient else set()
    offered = {name for name in dir(asynchronous) if not name.startswith("_")} - inner
    assert offered <= {name for name in dir(plain) if not name.startswith("_")}


@pytest.mark.parametrize("name", ["subscribe", "cancel", "get", "explain", "history", "metrics", "audit", "list"])
def test_a_call_takes_what_it_takes_with_asyncio(name: str) -> None:
    one, other = (list(signature(getattr(of, name)).parameters) for of in (AsyncClient, sync.StreamerClient))
    assert one == other
