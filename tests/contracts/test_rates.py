"""Tokens are granted as one bucket would grant them, however many processes take from it and whatever keeps it."""

import random
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from adapters.rates import LocalRates, SharedRates
from domain.rate import SLACK, Rate, Taking
from tests.adapters.racing import race
from tests.contracts.backends import Backend, Tables
from tests.kit.clock import FakeClock

RATE = Rate(per_second=10, burst=3)
INTERVAL = timedelta(milliseconds=100)
NONE = timedelta(0)
Rates = LocalRates | SharedRates


@pytest.fixture
def processes(backend: Backend) -> list[Rates]:
    """The same buckets, as three processes see them; in memory there can only be one."""
    if backend.tables is None:
        return [LocalRates()]
    client, table = backend.tables.client, backend.tables.names["Limits"]
    return [SharedRates(client, table) for _ in range(3)]


@pytest.fixture
def rates(processes: list[Rates]) -> Rates:
    return processes[0]


@pytest.fixture
def shared(tables: Tables) -> list[SharedRates]:
    return [SharedRates(tables.client, tables.names["Limits"]) for _ in range(8)]


def row_of(tables: Tables, name: str) -> dict[str, Any]:
    (row,) = [row for row in tables.rows("Limits") if row["name"]["S"] == name]
    return row


class RatesContract:
    """What every kind of bucket must do."""

    def test_a_burst_is_granted_and_then_one_token_an_interval(self, rates: Rates, name: str, clock: FakeClock) -> None:
        assert [rates.take(name, RATE, clock.now()) for _ in range(5)] == [NONE, NONE, NONE, INTERVAL, INTERVAL]
        clock.advance(by=INTERVAL)
        assert [rates.take(name, RATE, clock.now()) for _ in range(2)] == [NONE, INTERVAL]

    def test_who_was_away_has_the_whole_burst_again_and_no_more(
        self, rates: Rates, name: str, clock: FakeClock
    ) -> None:
        for _ in range(3):
            rates.take(name, RATE, clock.now())
        clock.advance(3600)
        assert [rates.take(name, RATE, clock.now()) for _ in range(4)] == [NONE, NONE, NONE, INTERVAL]

    def test_buckets_do_not_touch_each_other(self, rates: Rates, name: str, clock: FakeClock) -> None:
        for _ in range(4):
            rates.take(f"{name}-a", RATE, clock.now())
        assert rates.take(f"{name}-a", RATE, clock.now()) == INTERVAL
        assert rates.take(f"{name}-b", RATE, clock.now()) == NONE

    def test_more_than_a_bucket_holds_is_granted_when_it_is_full_and_paid_for_afterwards(
        self, rates: Rates, name: str, clock: FakeClock
    ) -> None:
        assert rates.take(name, RATE, clock.now(), 10) == NONE
        assert rates.take(name, RATE, clock.now()) == 8 * INTERVAL
        clock.advance(by=8 * INTERVAL)
        assert rates.take(name, RATE, clock.now()) == NONE

    @pytest.mark.parametrize("seed", range(3))
    def test_it_grants_what_the_rule_grants(
        self, processes: list[Rates], name: str, clock: FakeClock, seed: int
    ) -> None:
        chance = random.Random(seed)
        arrival: int | None = None
        for _ in range(60):
            now: datetime = clock.advance(by=chance.choice([0, 0, 0, 1, 40, 100, 400]) * timedelta(milliseconds=1))
            taking = Taking(RATE, now, chance.choice([1, 1, 1, 2, 5]))
            wait = taking.wait(arrival)
            told = chance.choice(processes).take(name, RATE, now, taking.tokens)
            # A process that refuses by what it saw last knows only how long the wait is at least.
            assert NONE < told <= wait if wait else told == NONE
            arrival = arrival if wait else taking.after(arrival)

    def test_of_many_that_take_at_once_exactly_the_burst_is_granted(
        self, shared: list[SharedRates], name: str, clock: FakeClock, tables: Tables
    ) -> None:
        now = clock.now()
        waits = race([partial(one.take, name, RATE, now) for one in shared], tables.client, before="update_item")
        assert sorted(waits) == [NONE] * 3 + [INTERVAL] * 5

    def test_a_bucket_from_the_future_or_of_a_slower_rate_is_made_anew(
        self, shared: list[SharedRates], name: str, clock: FakeClock, tables: Tables
    ) -> None:
        strange = Taking(RATE, clock.now()).beyond + 1
        tables.client.put_item(TableName=tables.names["Limits"], Item={"name": {"S": name}, "tat": {"N": str(strange)}})
        assert [one.take(name, RATE, clock.now()) for one in shared[:4]] == [NONE, NONE, NONE, INTERVAL]

    def test_a_row_ends_when_its_bucket_has_long_been_full(
        self, shared: list[SharedRates], name: str, clock: FakeClock, tables: Tables
    ) -> None:
        for one in shared[:2]:
            one.take(name, RATE, clock.now())
            row = row_of(tables, name)
            assert set(row) == {"name", "tat", "expires_at"}
            assert int(row["expires_at"]["N"]) >= (clock.now() + SLACK).timestamp()
