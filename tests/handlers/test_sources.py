"""Whatever a frame changes tells which frame it was, of which connection, and from where."""

import pytest

from domain.identity import TENANT_WRITE
from handlers import bootstrap
from handlers import connect as opening
from tests.handlers.attempts import started
from tests.handlers.conftest import Connect, claims_of, frame_event
from tests.kit.clock import FakeClock

FRAME = {"correlation_id": "f1", "causation_id": "m1", "source_ip": "192.0.2.1"}


def trail(client_of: Connect, request_id: str) -> dict[str, dict[str, object]]:
    """The audit trail of a request by type."""
    return {item["type"]: item for item in client_of().say("audit", request_id=request_id)["items"]}


def test_a_submission_and_its_subscription_tell_the_same_frame(connect: Connect, clock: FakeClock) -> None:
    ann = connect()
    request_id = ann.submit()
    wanted = {**FRAME, "connection_id": ann.connection_id}
    assert trail(connect, request_id)["RequestSubmitted"].items() >= wanted.items()
    (watch,) = bootstrap.subscriptions().list_by_request(request_id, clock.now())
    assert {name: getattr(watch, name) for name in wanted} == wanted


@pytest.mark.parametrize("topic", ["request", "user"])
def test_a_subscription_tells_the_frame_that_asked_for_it(
    connect: Connect, clock: FakeClock, tenant: str, topic: str
) -> None:
    ann = connect()
    request_id = ann.submit(subscribe=False)
    ann.say("subscribe", **({"request_id": request_id} if topic == "request" else {"topic": f"user#{tenant}#ann"}))
    (watch,) = bootstrap.subscriptions().list_by_connection(ann.connection_id, clock.now())
    assert {name: getattr(watch, name) for name in FRAME} == FRAME


def test_a_frame_without_an_id_is_told_by_the_platforms(connect: Connect, clock: FakeClock) -> None:
    ann = connect()
    ann.raw(f'{{"type": "subscribe", "topic": "user#{ann.claims["tenant_id"]}#ann"}}')
    (watch,) = bootstrap.subscriptions().list_by_connection(ann.connection_id, clock.now())
    assert (watch.correlation_id, watch.causation_id) == ("m1", "m1")


@pytest.mark.parametrize("is_running", [False, True])
def test_a_cancellation_tells_who_from_where_and_by_which_frame(connect: Connect, *, is_running: bool) -> None:
    request_id = connect().submit()
    if is_running:
        started(request_id)
    eve = connect("eve", TENANT_WRITE)
    eve.say("cancel", request_id=request_id)
    told = trail(connect, request_id)["CancelRequested" if is_running else "RequestCancelled"]
    # The correlation stays the request's; what led to this event is the frame, not the event before.
    wanted = {"by": "eve", "connection_id": eve.connection_id, "source_ip": "192.0.2.1", "causation_id": "m1"}
    assert told.items() >= wanted.items()


@pytest.mark.usefixtures("aws")
def test_a_connection_tells_under_which_id_its_connect_was_taken_in(clock: FakeClock, tenant: str) -> None:
    ends_at = "9999-01-01T00:00:00.000Z"
    event = frame_event(None, claims_of(tenant, "ann", ends_at), f"c-{tenant}")
    assert opening.handler(event, None) == {"statusCode": 200}
    opened = bootstrap.connections().get(f"c-{tenant}", clock.now())
    assert opened is not None
    assert (opened.correlation_id, opened.source_ip) == ("r1", "192.0.2.1")
