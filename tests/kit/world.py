"""A stack with its two stream readers, and the hand that delivers to them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from adapters.connection_store import ConnectionStore
from adapters.subscription_store import SubscriptionStore
from handlers import bootstrap, notify_subscribers, project_views
from tests.kit.calls import watched
from tests.kit.clock import FakeClock
from tests.kit.requests import Requests
from tests.kit.streams import Record, Response, StreamReader, rest_of
from tests.kit.tables import Aws, on_moto
from tests.kit.views import differences

_DELIVERIES: Final = 20
_STREAMS: Final = ("Events", "Connections", "Subscriptions")


class World:
    """Everything that a test of the stream readers needs, by name."""

    def __init__(self, aws: Aws, clock: FakeClock) -> None:
        self.aws = aws
        self.clock = clock
        self.requests = Requests(aws, clock)
        self.connections = ConnectionStore(aws.dynamodb, aws.tables["Connections"])
        self.subscriptions = SubscriptionStore(aws.dynamodb, aws.tables["Subscriptions"])
        self._readers = {name: StreamReader(aws.streams, aws.tables[name]) for name in _STREAMS}
        self._woken: set[str] = set()

    def records(self, table: str = "Events") -> list[Record]:
        """What was written to a table since the last time."""
        return self._readers[table].read()

    def project(self, records: Sequence[Record]) -> list[str]:
        """Deliver to project_views; the sequence numbers that it reports."""
        return _reported(self._project(records))

    def notify(self, records: Sequence[Record]) -> list[str]:
        """Deliver to notify_subscribers; the sequence numbers that it reports."""
        return _reported(notify_subscribers.handler(_event(records), None))

    def project_all(self, records: Sequence[Record]) -> int:
        """Deliver to project_views as Lambda does, until nothing is reported; how many deliveries that took."""
        for deliveries in range(1, _DELIVERIES + 1):
            records = rest_of(records, self._project(records))
            if not records:
                return deliveries
        raise AssertionError("it never ends")

    def differences(self) -> list[str]:
        """Every way in which the views differ from the log."""
        return differences(self.aws)

    def woken(self) -> set[str]:
        """The requests that project_views has sent tokens for since the last time, delayed ones as well."""
        woken, self._woken = self._woken, set()
        return woken

    def _project(self, records: Sequence[Record]) -> Response:
        with watched() as calls:
            try:
                return project_views.handler(_event(records), None)
            finally:
                for call in calls.answered:
                    if call.operation == "SendMessageBatch":
                        sent = [json.loads(entry["MessageBody"]) for entry in call.arguments["Entries"]]
                        self._woken.update(token["request_id"] for token in sent)


@contextmanager
def a_world(dynamodb_at: str | None = None, **variables: str) -> Iterator[World]:
    """A world in this process, with its tables elsewhere if need be; the handlers live by its clock."""
    clock = FakeClock()
    with on_moto(dynamodb_at, **variables) as aws, patch.object(bootstrap, "CLOCK", clock):
        yield World(aws, clock)


def _event(records: Sequence[Record]) -> dict[str, Any]:
    """The event as it comes over the wire: what JSON cannot carry is an error here."""
    event: dict[str, Any] = json.loads(json.dumps({"Records": list(records)}))
    return event


def _reported(response: Response) -> list[str]:
    assert list(response) == ["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]
