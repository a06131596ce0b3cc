"""The arrival time counts as a bucket does that is filled bit by bit."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.rate import SLACK, Rate, Taking
from tests.kit.clock import START

MS = timedelta(milliseconds=1)
rates = st.builds(Rate, st.integers(1, 3000), st.integers(1, 50))


@dataclass(slots=True)
class Bucket:
    """The bucket of the textbooks: tokens drip in, and are taken out if enough are there."""

    rate: Rate
    now: datetime
    tokens: Fraction = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = Fraction(self.rate.burst)

    def fill(self, now: datetime) -> None:
        dripped = Fraction(
            (now - self.now) // timedelta(microseconds=1), self.rate.interval // timedelta(microseconds=1)
        )
        self.tokens, self.now = min(Fraction(self.rate.burst), self.tokens + dripped), now

    def take(self, tokens: int) -> bool:
        if self.tokens < min(tokens, self.rate.burst):
            return False
        self.tokens -= tokens
        return True


steps = st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 25)), max_size=60)


@given(rates, steps)
def test_it_grants_exactly_what_a_bucket_grants(rate: Rate, asked: list[tuple[int, int]]) -> None:
    now, arrival, bucket = START, None, Bucket(rate, START)
    for pause, tokens in asked:
        now += pause * MS
        bucket.fill(now)
        taking = Taking(rate, now, tokens)
        wait = taking.wait(arrival)
        assert bucket.take(tokens) == (not wait)
        arrival = arrival if wait else taking.after(arrival)


@given(rates, steps)
def test_who_waits_as_long_as_told_is_granted_and_not_a_microsecond_earlier(
    rate: Rate, asked: list[tuple[int, int]]
) -> None:
    now, arrival = START, None
    for pause, tokens in asked:
        now += pause * MS
        taking = Taking(rate, now, tokens)
        if wait := taking.wait(arrival):
            assert Taking(rate, now + wait - timedelta(microseconds=1), tokens).wait(arrival) > timedelta(0)
            now += wait
        assert Taking(rate, now, tokens).wait(arrival) == timedelta(0)
        arrival = Taking(rate, now, tokens).after(arrival)


@given(rates, st.integers(1, 25))
def test_whoever_asks_without_a_pause_gets_the_burst_and_then_the_rate(rate: Rate, tokens: int) -> None:
    arrival, granted, now = None, 0, START
    while now < START + timedelta(seconds=1):
        taking = Taking(rate, now, tokens)
        if wait := taking.wait(arrival):
            now += wait
        else:
            arrival, granted = taking.after(arrival), granted + tokens
    assert granted <= rate.burst + tokens + rate.per_second * ((now - START) / timedelta(seconds=1))


@given(rates, st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 25)), min_size=1, max_size=60))
def test_what_a_rate_leaves_is_never_taken_for_another_rates(rate: Rate, asked: list[tuple[int, int]]) -> None:
    now, arrival = START, None
    for pause, tokens in asked:
        now += pause * MS
        taking = Taking(rate, now, tokens)
        arrival = arrival if taking.wait(arrival) else taking.after(arrival)
        assert arrival is not None
        assert arrival <= taking.beyond


@given(rates, st.integers(1, 10**9))
def test_an_arrival_time_of_a_wrong_clock_or_of_a_slower_rate_holds_nobody_up(rate: Rate, ahead: int) -> None:
    taking = Taking(rate, START)
    strange = taking.beyond + ahead
    assert taking.wait(strange) == timedelta(0)
    assert taking.after(strange) == taking.after(None)
    assert Taking(rate, START).wait(taking.beyond) <= rate.burst * rate.interval + SLACK


def test_a_token_takes_its_share_of_a_second_and_rather_more_than_less() -> None:
    microseconds = {n: Rate(n, 1).interval // timedelta(microseconds=1) for n in (1, 3, 7, 100, 3_000_000)}
    assert microseconds == {1: 1_000_000, 3: 333_334, 7: 142_858, 100: 10_000, 3_000_000: 1}


@pytest.mark.parametrize(("per_second", "burst"), [(0, 1), (1, 0), (-1, 5)])
def test_a_rate_that_lets_nothing_through_is_none(per_second: int, burst: int) -> None:
    with pytest.raises(ValueError, match="1 or more a second"):
        Rate(per_second, burst)


@given(rates, st.integers(-5, 500))
def test_so_many_tokens_last_exactly_as_long_as_told_when_taken_as_soon_as_they_are_there(
    rate: Rate, tokens: int
) -> None:
    arrival, granted, now = None, 0, START
    end = START + rate.at_least_for(tokens)
    while now < end:
        taking = Taking(rate, now)
        if wait := taking.wait(arrival):
            now += wait
        else:
            arrival, granted = taking.after(arrival), granted + 1
    assert granted == (tokens - 1 if end > START else 0), "the last one is there at that instant"
