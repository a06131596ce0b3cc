"""The stores without a table keep what the tables keep: none of their methods is one that needs a table."""

import inspect

import pytest

from adapters.connection_store import ConnectionStore
from adapters.event_store import EventStore
from adapters.subscription_store import SubscriptionStore
from tests.kit.memory import MemoryConnectionStore, MemoryEventStore, MemorySubscriptionStore


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        (EventStore, MemoryEventStore),
        (ConnectionStore, MemoryConnectionStore),
        (SubscriptionStore, MemorySubscriptionStore),
    ],
)
def test_whatever_asks_a_table_is_answered_from_memory(real: type, fake: type) -> None:
    methods = {name: method for name, method in inspect.getmembers(real, inspect.isfunction) if name[0] != "_"}
    asking = {name for name, method in methods.items() if "self._client" in inspect.getsource(method)}
    asking |= {name for name, method in methods.items() if "self._query" in inspect.getsource(method)}
    assert asking
    assert asking <= vars(fake).keys()
    for name in asking:
        assert inspect.signature(vars(fake)[name]) == inspect.signature(methods[name])
