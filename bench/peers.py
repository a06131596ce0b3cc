"""What a million requests cost beside other systems: .venv/bin/python -m bench.peers prints the table of docs/cost.md.

Ours is reckoned by bench/cost.py from counted units, messages and invocations. Of the others only what they bill for is
counted, each time in their favour; docs/cost.md says what of the work is not in it, and where the prices are from.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.cost import MILLION, Month, Prices, Speed, Use, costs

CASES: Final = ((1, 1), (10, 1), (100, 1), (1, 10), (10, 10), (100, 10))  # events of progress, watchers
WATCHED_MIN: Final = 1.0  # that each watcher is connected for a request
A_DAY: Final = 24 * 60 / WATCHED_MIN  # requests that a connection watches one after the other
NOT_OF_A_REQUEST: Final = frozenset({"running the actions", "alarms and figures"})


@dataclass(frozen=True, slots=True)
class Work:
    """A request: so many events of progress, and so many who watch."""

    progress: int
    watchers: int

    @property
    def events(self) -> int:
        """What is told of it: submitted, started, progress, completed."""
        return self.progress + 3

    @property
    def delivered(self) -> int:
        """Frames to those who watch: none is conflated."""
        return self.events * self.watchers

    @property
    def minutes(self) -> float:
        """Connection-minutes."""
        return self.watchers * WATCHED_MIN


def streamer(work: Work) -> float:
    """Dollars for a million requests in a day, without running the action and without what an empty stack costs."""
    connections = round(MILLION * work.watchers / A_DAY)
    use = Use(
        connections=connections,
        requests_a_day=MILLION / connections,
        progress=work.progress,
        pushes=work.events,
        watchers=work.watchers,
    )
    month = Month(use)
    spent = costs(month, Speed(), Prices())
    return sum(dollars for name, dollars in spent.items() if name not in NOT_OF_A_REQUEST) / month.requests * MILLION


def step_functions(work: Work) -> float:
    """A state for each report of progress, one before and one after; frames and connections of a WebSocket API."""
    prices = Prices()
    return 25 * (work.progress + 2) + MILLION * (
        work.delivered * prices.message + work.minutes * prices.connection_minute
    )


def temporal(work: Work) -> float:
    """Actions: start, schedule the activity, a signal for each report, and an update for what a proxy polls."""
    return 50 * (2 + work.progress + work.progress + 1)


def appsync(work: Work) -> float:
    """Operations: each event in, each event out, a connect and a subscribe for each who watches."""
    return 1.00 * (work.events + work.delivered + 2 * work.watchers) + 0.08 * work.minutes


def ably(work: Work) -> float:
    """Messages in and out, connection-minutes and the minutes of the request's channel."""
    return 2.50 * (work.events + work.delivered) + 1.00 * (work.minutes + WATCHED_MIN)


SYSTEMS: Final[Mapping[str, Callable[[Work], float]]] = {
    "**Streamer**": streamer,
    "Step Functions, Standard, with a WebSocket API": step_functions,
    "Temporal Cloud, up to a proxy of one's own": temporal,
    "AppSync Events, the way to the watchers alone": appsync,
    "Ably, the way to the watchers alone": ably,
}


def report() -> str:
    """The table: dollars a million requests."""
    heads = [f"{progress} / {watchers}" for progress, watchers in CASES]
    lines = ["| dollars a million requests, by progress / watchers | " + " | ".join(heads) + " |"]
    lines.append("|---|" + "--:|" * len(CASES))
    for name, reckoned in SYSTEMS.items():
        lines.append(f"| {name} | " + " | ".join(f"{reckoned(Work(*case)):,.0f}" for case in CASES) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(report() + "\n")
