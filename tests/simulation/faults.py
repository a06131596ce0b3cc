"""The faults: which there are, how likely each is in one history, how often each has fired.

A history has some faults and not others, each at a rate of its own: what hides behind a frequent fault shows where
that one is missing. They stop at one moment; from then on everything has to come to rest.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

T = TypeVar("T")

# What each fault is; a run of many histories in which one never fired has not tested what it says.
KINDS: Final = {
    "throttled": "a service refused a call: too many (the SDK tries again, then gives up)",
    "server_error": "a service answered 5xx, and had done nothing",
    "timed_out": "no answer, and nothing was done",
    "answer_lost": "no answer, although the write was done",
    "arrived_late": "a call was done seconds later, when its caller had given up waiting or tried again",
    "gave_up": "the SDK gave up after its tries, and the code above had to cope",
    "outage": "a service was out of order for seconds",
    "transaction_conflict": "a transaction was cancelled because of another one",
    "unprocessed": "a batch left rows or messages to be sent again",
    "page_cut": "a page of a query ended early",
    "stale_read": "an index or an inconsistent read showed the past",
    "crash_before": "a process ended before a call",
    "crash_after": "a process ended right after a call",
    "out_of_time": "a function was stopped by its time-out",
    "frozen": "a process stood still, for longer than its lease",
    "clock_skew": "a process had another time than the others",
    "function_throttled": "an invocation was put off by the platform",
    "redelivered": "a batch of stream records was delivered again",
    "late_replay": "a batch of stream records came again minutes later",
    "reordered": "stream records of different items came in another order",
    "shard_split": "a shard was split",
    "retries_exhausted": "a batch of stream records went to the on-failure destination",
    "poison_record": "a stream record that no code can read",
    "stream_outage": "stream records were lost because nobody read them within the retention",
    "token_duplicated": "a queue message was delivered twice",
    "token_delayed": "a queue message came late",
    "token_lost": "a queue message went to the dead-letter queue or was lost",
    "sweep_missed": "a turn of the sweeper was left out",
    "sweep_doubled": "two turns of the sweeper ran at once",
    "frame_lost": "a client's frame was lost on the way",
    "frame_doubled": "a client's frame arrived twice",
    "push_lost": "a post was accepted and never reached the client",
    "push_doubled": "a post reached the client twice",
    "push_reordered": "posts overtook each other",
    "socket_slow": "a client was too slow for a post",
    "socket_full": "a client's buffer was full: 429",
    "socket_dropped": "a connection broke",
    "socket_gone": "a post found its connection gone: 410",
    "disconnect_lost": "nobody was told that a connection had closed",
    "client_restarted": "a client forgot everything but its keys, and began again",
    "token_expired": "a socket outlived its token",
    "ticket_replayed": "a ticket was shown twice, or too late",
    "row_expired": "DynamoDB removed an expired row",
}

ON_THE_WAY: Final = ("throttled", "server_error", "timed_out", "answer_lost")


@dataclass(slots=True)
class Faults:
    """The faults of one history."""

    rng: random.Random
    rates: dict[str, float] = field(default_factory=dict)
    fired: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    stopped: bool = False

    @classmethod
    def drawn(cls, rng: random.Random) -> "Faults":
        """The faults that a seed has: about half of them, at rates between rare and frequent."""
        rates = {}
        for kind in KINDS:
            often = rng.random()
            if often < 0.55:
                rates[kind] = _HIGHEST.get(kind, 0.05) * (0.1 + 0.9 * rng.random() ** 2)
        return cls(rng, rates)

    def strikes(self, kind: str, times: float = 1.0) -> bool:
        """Whether a fault happens now."""
        rate = self.rates.get(kind, 0.0)
        if self.stopped or not rate or self.rng.random() >= rate * times:
            return False
        self.fired[kind] += 1
        return True

    def has(self, kind: str) -> bool:
        """Whether this history has the fault at all."""
        return kind in self.rates and not self.stopped

    def one_of(self, choices: Sequence[T]) -> T:
        """Any of them."""
        return choices[int(self.rng.random() * len(choices))]

    async def put_off(self) -> None:
        """Wait as long as the platform throttles invocations."""
        if self.strikes("function_throttled"):
            await asyncio.sleep(self.between(0.5, 6))

    def between(self, low: float, high: float) -> float:
        """A number between two."""
        return low + (high - low) * self.rng.random()


_HIGHEST: Final = {
    "throttled": 0.06,
    "server_error": 0.04,
    "timed_out": 0.03,
    "answer_lost": 0.10,
    "arrived_late": 0.03,
    "transaction_conflict": 0.15,
    "unprocessed": 0.2,
    "page_cut": 0.3,
    "stale_read": 0.5,
    "crash_before": 0.01,
    "crash_after": 0.015,
    "frozen": 0.012,
    "clock_skew": 0.5,
    "function_throttled": 0.1,
    "redelivered": 0.3,
    "late_replay": 0.1,
    "reordered": 0.3,
    "shard_split": 0.02,
    "poison_record": 0.03,
    "token_duplicated": 0.3,
    "token_delayed": 0.2,
    "token_lost": 0.2,
    "sweep_missed": 0.4,
    "sweep_doubled": 0.3,
    "frame_lost": 0.1,
    "frame_doubled": 0.1,
    "push_lost": 0.1,
    "push_doubled": 0.1,
    "push_reordered": 0.3,
    "socket_slow": 0.05,
    "socket_full": 0.1,
    "disconnect_lost": 0.5,
    "client_restarted": 0.3,
    "token_expired": 0.4,
    "ticket_replayed": 0.5,
}
