"""What a bucket costs, and what it does when answers are lost, rows vanish or the table is out of order."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from adapters import rates as module
from adapters.rates import LocalRates, SharedRates
from domain.errors import Unavailable
from domain.rate import Rate, Taking
from tests.adapters.racing import race
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws

RATE = Rate(per_second=10, burst=3)
INTERVAL = timedelta(milliseconds=100)
NONE = timedelta(0)


@pytest.fixture
def table(aws: Aws) -> str:
    return aws.tables["Limits"]


@pytest.fixture
def rates(dynamodb: Any, table: str) -> SharedRates:
    return SharedRates(dynamodb, table)


def test_a_process_alone_makes_one_call_for_each_grant_and_none_to_refuse(
    rates: SharedRates, dynamodb: Wrapped, name: str, clock: FakeClock
) -> None:
    for _ in range(20):
        before = len(dynamodb.calls)
        refused = bool(rates.take(name, RATE, clock.now()))
        assert len(dynamodb.calls) - before == (0 if refused else 1)
        clock.advance(0.04)
    assert {operation for operation, _ in dynamodb.calls} == {"update_item"}


def test_a_process_that_others_overtook_makes_two_calls_at_most(
    rates: SharedRates, dynamodb: Any, table: str, name: str, clock: FakeClock
) -> None:
    other = SharedRates(dynamodb, table)
    calls = []
    for step in range(40):
        for one in (rates, other):
            before = len(dynamodb.calls)
            one.take(name, RATE, clock.now())
            calls.append(len(dynamodb.calls) - before)
        clock.advance(0.15 if step % 10 else 5)
    assert max(calls) == 2


def test_racing_processes_make_two_calls_each_at_most(dynamodb: Any, table: str, name: str, clock: FakeClock) -> None:
    now = clock.now()
    many = [SharedRates(dynamodb, table) for _ in range(8)]
    race([partial(one.take, name, RATE, now) for one in many], dynamodb, before="update_item")
    assert dynamodb.count("update_item") <= 16


@pytest.mark.parametrize("burst", [1, 2, 3])
def test_a_repeated_call_takes_its_tokens_twice_at_most_and_is_never_refused_for_ever(
    rates: SharedRates, dynamodb: Wrapped, name: str, clock: FakeClock, burst: int
) -> None:
    rate = Rate(10, burst)
    dynamodb.resend("update_item")
    first = rates.take(name, rate, clock.now())
    assert first <= INTERVAL
    clock.advance(by=2 * INTERVAL)
    assert [rates.take(name, rate, clock.now()) for _ in range(burst)] == [NONE] * burst


def test_an_answer_that_never_came_costs_its_tokens_and_no_more(
    rates: SharedRates, dynamodb: Wrapped, name: str, clock: FakeClock
) -> None:
    dynamodb.lose("update_item")
    with pytest.raises(Unavailable):
        rates.take(name, RATE, clock.now())
    assert [rates.take(name, RATE, clock.now()) for _ in range(3)] == [NONE, NONE, INTERVAL]


def test_a_row_that_vanished_is_a_full_bucket(
    rates: SharedRates, dynamodb: Wrapped, aws: Aws, table: str, name: str, clock: FakeClock
) -> None:
    rates.take(name, RATE, clock.now())
    key = {"name": {"S": name}}
    dynamodb.first("update_item", lambda: aws.dynamodb.delete_item(TableName=table, Key=key))
    assert [rates.take(name, RATE, clock.now()) for _ in range(4)] == [NONE, NONE, NONE, INTERVAL]


def test_a_row_that_others_made_anew_is_not_counted_on_from_long_ago(
    rates: SharedRates, aws: Aws, table: str, name: str, clock: FakeClock
) -> None:
    rates.take(name, RATE, clock.now(), 2)
    long_ago = Taking(RATE, clock.now() - timedelta(hours=1)).after(None)
    aws.dynamodb.put_item(TableName=table, Item={"name": {"S": name}, "tat": {"N": str(long_ago)}})
    assert [rates.take(name, RATE, clock.now()) for _ in range(4)] == [NONE, NONE, NONE, INTERVAL]


def test_a_table_that_does_not_answer_is_unavailable(
    rates: SharedRates, dynamodb: Wrapped, name: str, clock: FakeClock
) -> None:
    dynamodb.fail("update_item", client_error("ThrottlingException"))
    with pytest.raises(Unavailable) as caught:
        rates.take(name, RATE, clock.now())
    assert caught.value.context["code"] == "ThrottlingException"


def test_a_process_remembers_so_many_buckets_and_no_more(dynamodb: Any, table: str, clock: FakeClock) -> None:
    local, shared = LocalRates(remembered=10), SharedRates(dynamodb, table, remembered=10)
    for one in (local, shared):
        for n in range(40):
            one.take(f"bucket-{n}", RATE, clock.now())
    assert len(local._arrivals._known) == len(shared._seen._known) == 10
    # What is forgotten here is still in the table.
    assert [shared.take("bucket-0", RATE, clock.now()) for _ in range(3)] == [NONE, NONE, INTERVAL]


@pytest.mark.parametrize(
    ("part", "condition"),
    [
        ("_FULL", "attribute_not_exists(tat) OR tat <= :now OR tat > :now OR tat > :beyond"),
        ("_SOME", "tat > :now AND (tat <= :latest OR tat > :latest)"),
    ],
)
def test_without_its_condition_a_race_is_granted_more(
    dynamodb: Any, table: str, name: str, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, part: str, condition: str
) -> None:
    """The broken twins of the contract's race: each condition is what keeps to the burst."""
    now = clock.now()
    many = [SharedRates(dynamodb, table) for _ in range(8)]
    if part == "_SOME":
        assert many[0].take(name, RATE, now) == NONE
        for one in many:  # each has seen that some is out
            one._seen.set(name, Taking(RATE, now).after(None))
    monkeypatch.setattr(module, part, (getattr(module, part)[0], condition))
    waits = race([partial(one.take, name, RATE, now) for one in many], dynamodb, before="update_item")
    assert waits.count(NONE) > RATE.burst
