"""A payload or a result comes back as it was, to the last digit, whether the log has it or a reference to it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.event_store import EventStore
from adapters.objects import Objects, folder
from adapters.request_queue import RequestQueue, Submission
from domain.commands import Start
from domain.errors import InvalidValue, NotFound, PayloadTooLarge
from domain.events import RequestSubmitted
from domain.recorded import Head
from domain.validity import INLINE_LIMIT, LARGEST_JSON
from tests.contracts.backends import Backend
from tests.contracts.logs import NUMBERS
from tests.kit.clock import FakeClock

LEASE = timedelta(seconds=30)
QUOTES = 2
UNSEEN: Any = None  # a view that nothing here reads
LARGE = [{"n": n, "text": "\u00e9\u2028", **NUMBERS} for n in range(500)]


@pytest.fixture
def queue(backend: Backend, clock: FakeClock) -> RequestQueue:
    return RequestQueue(backend.events, UNSEEN, backend.objects, clock, timedelta(days=7))


def asked(queue: RequestQueue, tenant_id: str, payload: Any, **more: Any) -> Head:
    """A new request with a payload."""
    given: dict[str, Any] = {"tenant_id": tenant_id, "user_id": "ann", "action": "echo_async", "max_attempts": 3}
    submission = Submission(payload=payload, **given, **more)
    return queue.enqueue(queue.request_id(submission), submission)[0]


def submitted(events: EventStore, head: Head) -> RequestSubmitted:
    """What a request was submitted with, as the log has it."""
    event = events.get(head.request_id, 1).event()
    assert isinstance(event, RequestSubmitted)
    return event


def running(queue: RequestQueue, tenant_id: str, clock: FakeClock) -> Head:
    """A request that a worker has."""
    start = Start(now=clock.now(), worker_id="w", lease_until=clock.now() + LEASE)
    return queue.execute(start, asked(queue, tenant_id, {}))


class LargeValuesContract:
    """What every log and bucket must do together."""

    @pytest.mark.parametrize("over", [0, 1])
    def test_a_payload_at_and_over_the_limit_of_an_event_comes_back_as_it_was(
        self, queue: RequestQueue, events: EventStore, name: str, over: int
    ) -> None:
        payload = "x" * (INLINE_LIMIT - QUOTES + over)
        event = submitted(events, asked(queue, name, payload))
        assert (event.payload is None, event.payload_ref is not None) == (bool(over), bool(over))
        assert queue.payload(event) == payload

    @pytest.mark.parametrize("over", [0, 1])
    def test_a_result_at_and_over_the_limit_of_an_event_comes_back_as_it_was(
        self, queue: RequestQueue, name: str, clock: FakeClock, over: int
    ) -> None:
        result = "x" * (INLINE_LIMIT - QUOTES + over)
        done = queue.complete(running(queue, name, clock), 1, result)
        assert (queue.kept_result(done)[1] is not None) == bool(over)
        assert queue.result(done) == result
        assert queue.result(queue.get(done.request_id)) == result

    def test_large_values_keep_every_digit(
        self, queue: RequestQueue, events: EventStore, name: str, clock: FakeClock
    ) -> None:
        assert queue.payload(submitted(events, asked(queue, name, LARGE))) == LARGE
        assert queue.result(queue.complete(running(queue, name, clock), 1, LARGE)) == LARGE

    def test_the_largest_payload_and_result_are_taken(
        self, queue: RequestQueue, events: EventStore, name: str, clock: FakeClock
    ) -> None:
        largest = "x" * (LARGEST_JSON - QUOTES)
        assert queue.payload(submitted(events, asked(queue, name, largest))) == largest
        assert queue.result(queue.complete(running(queue, name, clock), 1, largest)) == largest

    def test_what_is_larger_is_refused_by_its_field_and_nothing_is_stored(
        self, queue: RequestQueue, name: str, clock: FakeClock
    ) -> None:
        too_large = "x" * (LARGEST_JSON - QUOTES + 1)
        with pytest.raises(PayloadTooLarge) as caught:
            asked(queue, name, too_large, idempotency_key="k")
        assert caught.value.context == {"field": "payload"}
        assert asked(queue, name, "small", idempotency_key="k").version == 1
        head = running(queue, name, clock)
        with pytest.raises(PayloadTooLarge) as caught:
            queue.complete(head, 1, too_large)
        assert caught.value.context == {"field": "result"}
        assert queue.get(head.request_id) == head

    @pytest.mark.parametrize("value", [float("nan"), Decimal("Infinity"), {"a": {1, 2}}, object(), "\ud800"])
    def test_what_json_cannot_hold_is_refused_by_its_field_and_nothing_is_stored(
        self, queue: RequestQueue, name: str, clock: FakeClock, value: object
    ) -> None:
        with pytest.raises(InvalidValue) as caught:
            asked(queue, name, {"deep": [value]})
        assert caught.value.context == {"field": "payload"}
        head = running(queue, name, clock)
        with pytest.raises(InvalidValue) as caught:
            queue.complete(head, 1, {"deep": [value]})
        assert caught.value.context == {"field": "result"}
        assert queue.get(head.request_id) == head

    def test_a_repeat_with_a_large_payload_is_the_same_request(self, queue: RequestQueue, name: str) -> None:
        first = asked(queue, name, LARGE, idempotency_key="k")
        assert asked(queue, name, LARGE, idempotency_key="k") == first

    def test_a_large_value_is_in_its_users_own_folder(self, queue: RequestQueue, events: EventStore, name: str) -> None:
        reference = submitted(events, asked(queue, name, LARGE)).payload_ref
        assert reference is not None
        assert reference.startswith(folder(name, "ann"))

    def test_a_request_that_has_not_completed_has_no_result(
        self, queue: RequestQueue, name: str, clock: FakeClock
    ) -> None:
        for head in (asked(queue, name, LARGE), running(queue, name, clock)):
            assert queue.kept_result(head) == (None, None)
            assert queue.result(head) is None


class ObjectsContract:
    """What every bucket must do."""

    def test_an_object_is_read_as_it_was_written_last(self, objects: Objects, name: str) -> None:
        for content in (b"", b"\x00\xff", b"x" * 1_000_000):
            objects.write(f"{name}/a file", content, "application/octet-stream")
            assert objects.read(f"{name}/a file") == content

    def test_an_object_that_is_not_there_is_told_by_its_key(self, objects: Objects, name: str) -> None:
        with pytest.raises(NotFound) as caught:
            objects.read(f"{name}/nothing")
        assert caught.value.context["key"] == f"{name}/nothing"
