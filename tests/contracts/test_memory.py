"""The stores without a table keep what the tables keep: none of their methods is one that needs a table."""

import inspect
import re

import pytest

from adapters.connection_store import ConnectionStore
from adapters.event_store import EventStore
from adapters.objects import Objects
from adapters.subscription_store import SubscriptionStore
from adapters.ticket_store import TicketStore
from tests.kit.memory import (
    MemoryConnectionStore,
    MemoryEventStore,
    MemoryObjects,
    MemorySubscriptionStore,
    MemoryTicketStore,
)


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        (EventStore, MemoryEventStore),
        (ConnectionStore, MemoryConnectionStore),
        (SubscriptionStore, MemorySubscriptionStore),
        (TicketStore, MemoryTicketStore),
        (Objects, MemoryObjects),
    ],
)
def test_whatever_asks_a_table_is_answered_from_memory(real: type, fake: type) -> None:
    methods = {name: method for name, method in inspect.getmembers(real, inspect.isfunction) if name[0] != "_"}
    sources = {name: inspect.getsource(inspect.unwrap(method)) for name, method in methods.items()}
    asking = {name for name, source in sources.items() if re.search(r"self\._(client|query|found|stale)\b", source)}
    assert asking
    assert asking <= vars(fake).keys()
    for name in asking:
        assert inspect.signature(vars(fake)[name]) == inspect.signature(methods[name])
