"""Subscribing twice is subscribing once, and a connection that goes takes all of its subscriptions with it."""

from datetime import timedelta

import pytest
from msgspec.structs import fields, replace

from adapters.subscription_store import SubscriptionStore
from domain.errors import InvalidValue, Undecodable
from domain.identity import Identity
from domain.subscription import SUBSCRIPTION_TTL, Subscription, subscription
from domain.validity import KINDS
from tests.contracts.backends import Tables
from tests.contracts.bad import BAD
from tests.kit.clock import START

NOW = START.replace(microsecond=0)
SECOND = timedelta(seconds=1)
MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def watch(name: str, identity: Identity) -> Subscription:
    return subscription(
        f"request#{name}",
        f"c-{name}",
        identity,
        NOW,
        source_ip="192.0.2.7",
        correlation_id="my-7",
        causation_id="FRAME=",
        seen=3,
        told=5,
    )


class SubscriptionStoreContract:
    """What every subscription store must do."""

    def test_a_watcher_is_found_by_topic_connection_and_request(
        self, subscriptions: SubscriptionStore, watch: Subscription, name: str
    ) -> None:
        subscriptions.subscribe(watch)
        assert list(subscriptions.watchers(watch.topic, NOW)) == [watch.connection_id]
        assert list(subscriptions.list_by_connection(watch.connection_id, NOW)) == [watch]
        assert list(subscriptions.list_by_request(name, NOW)) == [watch]

    def test_subscribing_again_only_prolongs_it(self, subscriptions: SubscriptionStore, watch: Subscription) -> None:
        subscriptions.subscribe(watch)
        later = NOW + timedelta(hours=1)
        again = replace(watch, source_ip="192.0.2.8", correlation_id="my-8", causation_id="ANOTHER=")
        subscriptions.subscribe(replace(again, created_at=later, expires_at=later + SUBSCRIPTION_TTL))
        assert list(subscriptions.list_by_connection(watch.connection_id, NOW)) == [
            replace(watch, expires_at=later + SUBSCRIPTION_TTL)
        ]

    def test_a_topic_of_no_single_request_has_no_request(
        self, subscriptions: SubscriptionStore, identity: Identity, name: str
    ) -> None:
        made = subscription(f"tenant#{name}", f"c-{name}", identity, NOW)
        subscriptions.subscribe(made)
        assert made.request_id is None
        assert list(subscriptions.list_by_connection(f"c-{name}", NOW)) == [made]

    def test_a_watch_whose_time_is_over_is_not_told(
        self, subscriptions: SubscriptionStore, watch: Subscription, name: str
    ) -> None:
        subscriptions.subscribe(watch)
        over = watch.expires_at
        for moment in (over - SECOND, over - MOMENT):
            assert list(subscriptions.watchers(watch.topic, moment)) == [watch.connection_id]
            assert list(subscriptions.list_by_connection(watch.connection_id, moment)) == [watch]
            assert list(subscriptions.list_by_request(name, moment)) == [watch]
        assert list(subscriptions.watchers(watch.topic, over)) == []
        assert list(subscriptions.list_by_connection(watch.connection_id, over)) == []
        assert list(subscriptions.list_by_request(name, over)) == []
        # It still goes with its connection, for DynamoDB may leave it there for days.
        assert subscriptions.delete_by_connection(watch.connection_id) == 1

    def test_unsubscribing_takes_one_watch_and_repeating_it_nothing(
        self, subscriptions: SubscriptionStore, watch: Subscription
    ) -> None:
        other = replace(watch, connection_id=f"{watch.connection_id}-2")
        subscriptions.subscribe(watch)
        subscriptions.subscribe(other)
        for _ in range(2):
            subscriptions.unsubscribe(watch.topic, watch.connection_id)
            assert list(subscriptions.watchers(watch.topic, NOW)) == [other.connection_id]

    def test_a_connection_takes_all_of_its_subscriptions_with_it_and_nobody_elses(
        self, subscriptions: SubscriptionStore, watch: Subscription, name: str
    ) -> None:
        subscriptions.subscribe(replace(watch, connection_id="somebody else"))
        for n in range(30):
            subscriptions.subscribe(replace(watch, topic=f"request#{name}-{n}", request_id=f"{name}-{n}"))
        assert subscriptions.delete_by_connection(watch.connection_id, 2) == 2
        assert subscriptions.delete_by_connection(watch.connection_id) == 28
        assert list(subscriptions.list_by_connection(watch.connection_id, NOW)) == []
        assert subscriptions.delete_by_connection(watch.connection_id) == 0
        assert list(subscriptions.watchers(watch.topic, NOW)) == ["somebody else"]

    @pytest.mark.parametrize("field", [field.name for field in fields(Subscription) if field.name in KINDS])
    def test_what_a_field_is_not_is_refused_by_its_name_and_not_written(
        self, subscriptions: SubscriptionStore, watch: Subscription, field: str
    ) -> None:
        optional = field == "request_id"
        for value in (one for one in BAD[field] if not (optional and one is None)):
            with pytest.raises(InvalidValue) as caught:
                subscriptions.subscribe(replace(watch, **{field: value}))
            assert caught.value.context == {"field": field}
        assert list(subscriptions.watchers(watch.topic, NOW)) == []


class SubscriptionTableContract:
    """What every table of subscriptions must do."""

    def test_watchers_of_more_than_one_page_are_all_found(
        self, subscriptions: SubscriptionStore, watch: Subscription, tables: Tables, name: str
    ) -> None:
        wanted = [f"{name}-{n}" for n in range(8)]
        for connection_id in wanted:
            subscriptions.subscribe(replace(watch, connection_id=connection_id))
            tables.pad("Subscriptions", topic=watch.topic, connection_id=connection_id)
        assert list(subscriptions.watchers(watch.topic, NOW)) == wanted

    def test_subscriptions_of_more_than_one_page_all_go_with_their_connection(
        self, subscriptions: SubscriptionStore, watch: Subscription, tables: Tables, name: str
    ) -> None:
        for n in range(8):
            topic = f"request#{name}-{n}"
            subscriptions.subscribe(replace(watch, topic=topic))
            tables.pad("Subscriptions", topic=topic, connection_id=watch.connection_id)
        assert subscriptions.delete_by_connection(watch.connection_id) == 8

    def test_an_unreadable_row_is_told_as_such(
        self, subscriptions: SubscriptionStore, tables: Tables, name: str
    ) -> None:
        row = {"topic": {"S": f"request#{name}"}, "connection_id": {"S": name}, "expires_at": {"N": "99999999999"}}
        tables.client.put_item(TableName=tables.names["Subscriptions"], Item=row)
        with pytest.raises(Undecodable) as caught:
            list(subscriptions.list_by_connection(name, NOW))
        assert caught.value.context == {"field": "tenant_id", "topic": f"request#{name}"}
