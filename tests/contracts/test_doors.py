"""Every door refuses what its arguments are not, by the name of the field, before anything is asked or written."""

import copy
import inspect
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import NoneType
from typing import Any, Final, get_args

import pytest

from adapters.connection_store import ConnectionStore
from adapters.event_store import EventStore
from adapters.items import to_item
from adapters.objects import Objects
from adapters.request_queue import RequestQueue, Submission
from adapters.request_view import RequestView
from adapters.subscription_store import SubscriptionStore
from adapters.tenant_views import TenantViews
from adapters.ticket_store import TicketStore
from domain.errors import InvalidValue, PayloadTooLarge
from domain.recorded import Head
from domain.state import Status
from domain.validity import KINDS
from tests.contracts.asking import SHARDS, views_of
from tests.contracts.backends import Backend, Tables
from tests.contracts.bad import BAD, GOOD, INFINITE
from tests.kit.clock import FakeClock
from tests.kit.raising import raising

WRITTEN: Final[Any] = None  # what no test here comes as far as to use
ASKED: Final[Mapping[str, Any]] = {
    "tenant_id": "acme",
    "user_id": "ann",
    "action": "echo_async",
    "payload": {},
    "max_attempts": 3,
}
STORES: Final[Mapping[str, type]] = {
    "events": EventStore,
    "connections": ConnectionStore,
    "subscriptions": SubscriptionStore,
    "tickets": TicketStore,
    "objects": Objects,
}
READERS: Final[Mapping[str, type]] = {"view": RequestView, "tenant": TenantViews}


def doors(kinds: Mapping[str, type]) -> Iterator[Any]:
    """Every argument of every public method that is of a kind with rules."""
    for name, kind in kinds.items():
        for method, function in inspect.getmembers(kind, inspect.isfunction):
            if method[0] != "_":
                for argument in inspect.signature(function).parameters:
                    if argument in KINDS or argument == "after":
                        yield pytest.param(name, method, argument, id=f"{kind.__name__}.{method}-{argument}")


def call(store: Any, method: str, **given: Any) -> None:
    """Call a method with good arguments but for these, and read whatever it gives."""
    door = getattr(store, method)
    wanted = list(inspect.signature(door).parameters)
    answer = door(**{name: given.get(name, GOOD.get(name)) for name in wanted})
    if isinstance(answer, Iterator):
        list(answer)


@pytest.fixture
def unchanged(backend: Backend) -> Iterator[None]:
    """Nothing is asked of a table, and no dictionary changes, within the test."""
    calls = len(backend.tables.client.calls) if backend.tables else 0
    before = copy.deepcopy(_kept(backend))
    yield
    assert _kept(backend) == before
    assert (len(backend.tables.client.calls) if backend.tables else 0) == calls


def _kept(backend: Backend) -> list[Any]:
    stores = (backend.events, backend.connections, backend.subscriptions, backend.tickets)
    return [] if backend.tables else [vars(store) for store in stores]


@pytest.fixture
def queue(backend: Backend, clock: FakeClock) -> RequestQueue:
    return RequestQueue(backend.events, WRITTEN, backend.objects, clock, timedelta(days=7))


def refused(by: str, act: Any) -> None:
    """The act is refused by the name of a field."""
    with pytest.raises((InvalidValue, PayloadTooLarge)) as caught:
        act()
    field = caught.value.context["field"]
    assert str(field).split(".")[0] == by
    assert by in caught.value.told


@pytest.mark.usefixtures("unchanged")
class DoorsContract:
    """What every store must refuse."""

    @pytest.mark.parametrize(("store", "method", "argument"), [*doors(STORES)])
    def test_a_store_refuses_what_an_argument_is_not(
        self, backend: Backend, store: str, method: str, argument: str
    ) -> None:
        optional = argument == "limit"
        for value in BAD[argument]:
            if not (optional and value is None):
                refused(argument, lambda value=value: call(getattr(backend, store), method, **{argument: value}))

    @pytest.mark.parametrize("field", [name for name in inspect.signature(Submission).parameters if name in KINDS])
    def test_a_submission_that_is_none_cannot_be_made(self, queue: RequestQueue, field: str) -> None:
        optional = inspect.signature(Submission).parameters[field].default is None
        for value in BAD[field]:
            if not (optional and value is None):
                refused(field, lambda value=value: queue.enqueue("r-1", Submission(**{**ASKED, field: value})))

    @pytest.mark.parametrize("value", BAD["request_id"])
    def test_a_queue_takes_no_request_under_what_is_no_id(self, queue: RequestQueue, value: Any) -> None:
        refused("request_id", lambda: queue.enqueue(value, Submission(**ASKED)))
        refused("request_id", lambda: queue.get(value))

    def test_a_worker_reports_nothing_that_an_event_cannot_hold(self, queue: RequestQueue) -> None:
        head = Head("r-1")
        for percent in BAD["percent"]:
            refused("percent", lambda percent=percent: queue.report_progress(head, 1, percent, None, None))
        for message in BAD["message"]:
            refused("message", lambda message=message: queue.report_progress(head, 1, 5, message, None))
        for details in (*BAD["details"], {"a": "x" * 1017}):
            refused("details", lambda details=details: queue.report_progress(head, 1, 5, None, details))
        for chunk in (*BAD["chunk"], "x" * (16 * 1024 - 1)):
            refused("chunk", lambda chunk=chunk: queue.append_output(head, 1, 0, chunk))
        for index in BAD["index"]:
            refused("index", lambda index=index: queue.append_output(head, 1, index, ""))
        for attempt in BAD["attempt"]:
            refused("attempt", lambda attempt=attempt: queue.renew_lease(head, attempt, timedelta(0)))
        for error in BAD["error"]:
            refused("error", lambda error=error: queue.fail(head, 1, error, retryable=True))
        for result in BAD["result"]:
            refused("result", lambda result=result: queue.complete(head, 1, result))

    def test_a_cancel_says_who_and_why_in_text(self, queue: RequestQueue) -> None:
        for by in BAD["by"]:
            refused("by", lambda by=by: queue.cancel(Head("r-1"), by, None))
        for reason in BAD["reason"]:
            refused("reason", lambda reason=reason: queue.cancel(Head("r-1"), "ann", reason))


@pytest.mark.usefixtures("unchanged")
class ReadersContract:
    """What every reader of the views must refuse."""

    @pytest.fixture
    def readers(self, tables: Tables) -> Mapping[str, Any]:
        names = tables.names
        return {
            "view": RequestView(tables.client, names["Requests"], SHARDS, raising),
            "tenant": TenantViews(tables.client, names["Audit"], names["Metrics"], "acme"),
        }

    @pytest.mark.parametrize(("reader", "method", "argument"), [*doors(READERS)])
    def test_a_reader_refuses_what_an_argument_is_not(
        self, readers: Mapping[str, Any], reader: str, method: str, argument: str
    ) -> None:
        optional = NoneType in get_args(
            inspect.signature(getattr(READERS[reader], method)).parameters[argument].annotation
        )
        status = {"status": Status.PENDING} if method == "by_status" else {}
        for value in BAD[argument]:
            if not (optional and value is None):
                given = {**status, argument: value}
                refused(argument, lambda given=given: call(readers[reader], method, **given))

    @pytest.mark.parametrize("tenant_id", BAD["tenant_id"])
    def test_the_views_of_what_is_no_tenant_cannot_be_read(self, tables: Tables, tenant_id: Any) -> None:
        names = tables.names
        refused("tenant_id", lambda: TenantViews(tables.client, names["Audit"], names["Metrics"], tenant_id))

    @pytest.mark.parametrize("request_id", BAD["request_id"])
    def test_a_view_has_no_cursor_of_what_is_no_request(self, tables: Tables, request_id: Any) -> None:
        refused("request_id", lambda: views_of(tables).cursors([request_id]))


@pytest.mark.parametrize("value", [*INFINITE, 1.5, 10**38, -(10**38), "\ud800", [], {}])
def test_no_row_has_a_value_that_would_not_come_back_as_it_was(value: Any) -> None:
    refused("count", lambda: to_item({"count": value}))
