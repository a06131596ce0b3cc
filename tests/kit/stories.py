"""Ready-made histories: together they have every event, and every way a request can end."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from tests.kit.requests import Requests, Whose

Story = Callable[[Requests], str]
ANN: Final = Whose("acme", "ann")
BOB: Final = Whose("acme", "bob")
EVE: Final = Whose("zeta", "eve")


def waiting(requests: Requests) -> str:
    """Submitted, and runnable at once."""
    return requests.submit(ANN, "report", priority=9, connection_id="socket-1")


def delayed(requests: Requests) -> str:
    """Submitted for later."""
    return requests.submit(BOB, delay=timedelta(minutes=20))


def completed(requests: Requests) -> str:
    """Done at the first attempt, with progress, outputs and a longer lease."""
    request_id = requests.submit(ANN, "report")
    requests.start(request_id)
    requests.progress(request_id, 12.5, "reading")
    requests.output(request_id, "line 1")
    requests.progress(request_id, 50)
    requests.renew(request_id)
    requests.output(request_id, {"line": 2})
    requests.progress(request_id, 99.9)
    requests.complete(request_id)
    return request_id


def retrying(requests: Requests) -> str:
    """Failed once, waiting for the next attempt."""
    request_id = requests.submit(BOB)
    requests.start(request_id)
    requests.fail(request_id)
    return request_id


def failed(requests: Requests) -> str:
    """Failed for good after all attempts, one of them lost with its worker."""
    request_id = requests.submit(EVE, max_attempts=2)
    requests.start(request_id)
    requests.progress(request_id, 30)
    requests.lose_worker(request_id)
    requests.start(request_id)
    requests.fail(request_id)
    return request_id


def cancelled(requests: Requests) -> str:
    """Cancelled before it ran."""
    request_id = requests.submit(ANN)
    requests.cancel(request_id, reason="changed my mind")
    return request_id


def stopped(requests: Requests) -> str:
    """Cancelled while it ran."""
    request_id = requests.submit(EVE, "report")
    requests.start(request_id)
    requests.progress(request_id, 10)
    requests.cancel(request_id, by="eve")
    requests.stop(request_id)
    return request_id


def running(requests: Requests) -> str:
    """At work, in its second attempt."""
    request_id = retrying(requests)
    requests.start(request_id)
    requests.progress(request_id, 42, "again")
    return request_id


def expired(requests: Requests) -> str:
    """Never run, ended by its retention. Lets days pass: tell it last."""
    request_id = requests.submit(BOB)
    requests.expire(request_id)
    return request_id


STORIES: Final[Mapping[str, Story]] = {
    story.__name__: story
    for story in (waiting, delayed, completed, retrying, failed, cancelled, stopped, running, expired)
}


def tell_all(requests: Requests) -> dict[str, str]:
    """Every story once; the request of each by its name."""
    return {name: story(requests) for name, story in STORIES.items()}
