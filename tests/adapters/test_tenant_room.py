"""A gauge is read no more often than it takes to notice that a tenant is full."""

from collections import Counter
from datetime import timedelta

import pytest

from adapters.tenant_room import FRESH, LONGEST, TenantRoom
from domain.rate import Rate
from tests.kit.clock import FakeClock

MOST = 100
RATE = Rate(per_second=10, burst=20)


class Gauge:
    """A gauge that counts who looks at it."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.looks = 0

    def __call__(self, tenant_id: str) -> int:
        self.looks += 1
        return self.counts[tenant_id]


@pytest.fixture
def gauge() -> Gauge:
    return Gauge()


@pytest.fixture
def room(gauge: Gauge, clock: FakeClock) -> TenantRoom:
    return TenantRoom(gauge, clock, remembered=10)


def test_a_tenant_is_full_when_it_has_as_much_as_it_may(room: TenantRoom, gauge: Gauge) -> None:
    counts = {"idle": 0, "nearly": 99, "just": 100, "over": 150}
    gauge.counts.update(counts)
    assert [name for name in counts if room.is_full(name, MOST, RATE)] == ["just", "over"]


@pytest.mark.parametrize(
    ("count", "lasting"),
    [
        (0, timedelta(seconds=8)),  # 20 at once, and 80 more at 10 a second
        (50, timedelta(seconds=3)),
        (79, FRESH),
        (100, FRESH),
        (-10_000, LONGEST),
    ],
)
def test_what_was_read_is_used_for_as_long_as_the_rate_cannot_have_filled_it(
    room: TenantRoom, gauge: Gauge, clock: FakeClock, count: int, lasting: timedelta
) -> None:
    gauge.counts["a"] = count
    room.is_full("a", MOST, RATE)
    clock.advance(by=lasting - timedelta(milliseconds=1))
    room.is_full("a", MOST, RATE)
    assert gauge.looks == 1
    clock.advance(by=timedelta(milliseconds=1))
    room.is_full("a", MOST, RATE)
    assert gauge.looks == 2


def test_without_a_rate_it_is_read_again_soon(room: TenantRoom, gauge: Gauge, clock: FakeClock) -> None:
    for _ in range(4):
        room.is_full("a", MOST)
        clock.advance(by=FRESH / 2)
    assert gauge.looks == 2


def test_whoever_submits_as_fast_as_the_rate_lets_in_never_gets_beyond_by_more_than_the_bound(
    room: TenantRoom, gauge: Gauge, clock: FakeClock
) -> None:
    """The gauge is a second behind; a burst comes after a pause, and from then on all that the rate lets in."""
    lag, step = 10, timedelta(milliseconds=100)
    have, past = 0, [0]
    for turn in range(400):
        gauge.counts["a"] = past[max(0, len(past) - 1 - lag)]
        for _ in range(RATE.burst if turn == 0 else 1):
            have += not room.is_full("a", MOST, RATE)
        past.append(have)
        clock.advance(by=step)
    assert MOST <= have <= MOST + RATE.burst + RATE.per_second * (lag * step + FRESH).total_seconds()
    assert gauge.looks < 100


def test_it_remembers_so_many_tenants_and_no_more(room: TenantRoom, gauge: Gauge) -> None:
    for n in range(40):
        room.is_full(f"tenant-{n}", MOST, RATE)
    assert gauge.looks == 40
    assert len(room._seen) == 10
