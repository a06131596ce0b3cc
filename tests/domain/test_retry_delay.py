from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.commands import RetryPolicy


@given(
    st.integers(1, 10**6),
    st.floats(0, 1),
    st.timedeltas(timedelta(0), timedelta(hours=1)),
    st.timedeltas(timedelta(0), timedelta(days=1)),
)
def test_a_retry_delay_is_between_nothing_and_the_cap(
    attempt: int, jitter: float, base: timedelta, cap: timedelta
) -> None:
    policy = RetryPolicy(base=base, cap=cap)
    assert timedelta(0) <= policy.delay(attempt, jitter) <= min(cap, base * 2 ** min(attempt - 1, 30))
    assert policy.delay(attempt + 1, 1) >= policy.delay(attempt, 1)


def test_the_retry_delay_doubles_up_to_the_cap() -> None:
    waits = [RetryPolicy().delay(attempt, 1).total_seconds() for attempt in range(1, 11)]
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
