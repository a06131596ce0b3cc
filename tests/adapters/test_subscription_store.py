"""Subscribing twice is subscribing once, and a connection that goes takes all of its subscriptions with it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.subscription_store import SubscriptionStore
from domain.identity import Identity
from domain.subscription import SUBSCRIPTION_TTL, Subscription, subscription
from tests.kit.clock import START

NOW = START.replace(microsecond=0)


@pytest.fixture
def watch(name: str, identity: Identity) -> Subscription:
    return subscription(f"request#{name}", f"c-{name}", identity, NOW)


def test_a_watcher_is_found_by_topic_connection_and_request(
    subscriptions: SubscriptionStore, watch: Subscription, name: str
) -> None:
    subscriptions.subscribe(watch)
    assert list(subscriptions.watchers(watch.topic, NOW)) == [watch.connection_id]
    assert list(subscriptions.list_by_connection(watch.connection_id)) == [watch]
    assert list(subscriptions.list_by_request(name)) == [watch]


def test_subscribing_again_only_prolongs_it(subscriptions: SubscriptionStore, watch: Subscription) -> None:
    subscriptions.subscribe(watch)
    later = NOW + timedelta(hours=1)
    subscriptions.subscribe(replace(watch, created_at=later, expires_at=later + SUBSCRIPTION_TTL))
    assert list(subscriptions.list_by_connection(watch.connection_id)) == [
        replace(watch, expires_at=later + SUBSCRIPTION_TTL)
    ]


def test_a_topic_of_no_single_request_has_no_request(
    subscriptions: SubscriptionStore, identity: Identity, name: str
) -> None:
    made = subscription(f"tenant#{name}", f"c-{name}", identity, NOW)
    subscriptions.subscribe(made)
    assert made.request_id is None
    assert list(subscriptions.list_by_connection(f"c-{name}")) == [made]


def test_a_watch_whose_time_is_over_is_not_told(subscriptions: SubscriptionStore, watch: Subscription) -> None:
    subscriptions.subscribe(watch)
    assert list(subscriptions.watchers(watch.topic, watch.expires_at - timedelta(seconds=1))) == [watch.connection_id]
    assert list(subscriptions.watchers(watch.topic, watch.expires_at)) == []


def test_unsubscribing_takes_one_watch_and_repeating_it_nothing(
    subscriptions: SubscriptionStore, watch: Subscription
) -> None:
    other = replace(watch, connection_id=f"{watch.connection_id}-2")
    subscriptions.subscribe(watch)
    subscriptions.subscribe(other)
    subscriptions.unsubscribe(watch.topic, watch.connection_id)
    subscriptions.unsubscribe(watch.topic, watch.connection_id)
    assert list(subscriptions.watchers(watch.topic, NOW)) == [other.connection_id]


def test_a_connection_takes_all_of_its_subscriptions_with_it_and_nobody_elses(
    subscriptions: SubscriptionStore, watch: Subscription, name: str
) -> None:
    other = replace(watch, connection_id="somebody else")
    subscriptions.subscribe(other)
    for n in range(30):
        subscriptions.subscribe(replace(watch, topic=f"request#{name}-{n}", request_id=f"{name}-{n}"))
    assert subscriptions.delete_by_connection(watch.connection_id) == 30
    assert list(subscriptions.list_by_connection(watch.connection_id)) == []
    assert subscriptions.delete_by_connection(watch.connection_id) == 0
    assert list(subscriptions.watchers(watch.topic, NOW)) == ["somebody else"]


def test_watchers_of_more_than_one_page_are_all_found(subscriptions: SubscriptionStore, watch: Subscription) -> None:
    wanted = [f"c-{n}" for n in range(8)]
    for connection_id in wanted:
        subscriptions.subscribe(replace(watch, connection_id=connection_id, user_id="x" * 300_000))
    assert list(subscriptions.watchers(watch.topic, NOW)) == wanted
