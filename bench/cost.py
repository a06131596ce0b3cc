"""What a month costs, and which quotas it needs: .venv/bin/python -m bench.cost prints the tables of docs/cost.md.

Units of DynamoDB are those of docs/capacity.md, which were measured on Amazon's own engine. Prices and quotas are AWS's
for us-east-1 and have their sources in docs/cost.md. What clients do and how long functions take are assumptions:
change them to yours.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from math import ceil
from pathlib import Path
from typing import Final

from adapters.connection_store import PAGES

SIZES: Final = (10_000, 100_000, 1_000_000)
DAYS: Final = 30
SECONDS: Final = DAYS * 86_400
MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Use:
    """What clients do."""

    connections: int = 10_000  # open at any moment, day and night
    requests_a_day: float = 10  # of a connection
    progress: int = 10  # events of progress that a request stores
    pushes: int = 8  # frames that each of a request's watchers gets: some progress is conflated
    watchers: int = 1  # of a request: who submits it, and others who subscribe to it
    reconnect_s: int = 7_000  # API Gateway ends a connection after two hours
    ping_s: int = 300  # and an idle one after ten minutes
    run_s: float = 5  # that the action of a request takes


@dataclass(frozen=True, slots=True)
class Speed:
    """How long the functions take when they are warm, in seconds: assumed, to be compared with the dashboard."""

    message: float = 0.03
    authorize: float = 0.01
    connect: float = 0.02
    disconnect: float = 0.02
    notify_subscribers: float = 0.04
    project_views: float = 0.08


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars."""

    message: float = 1.00 / MILLION  # a frame of up to 32 KB, in or out
    connection_minute: float = 0.25 / MILLION
    invocation: float = 0.20 / MILLION
    gb_second: float = 0.0000133334  # arm64
    write_unit: float = 0.625 / MILLION
    read_unit: float = 0.125 / MILLION
    gb_month: float = 0.25
    sqs_request: float = 0.40 / MILLION
    log_gb: float = 0.50
    trace: float = 5.00 / MILLION  # that is recorded
    alarm: float = 0.10  # for each figure of an alarm
    own_figure: float = 0.30
    secret: float = 0.40


MEMORY_GB: Final[Mapping[str, float]] = {
    "message": 0.5,
    "authorize": 0.5,
    "connect": 0.5,
    "disconnect": 0.5,
    "notify_subscribers": 1,
    "project_views": 1,
    "work": 1,
}
LOG_LINE_GB: Final = 500 / 2**30  # what an invocation logs: the platform's lines and about one of ours
EVENT_GB: Final = 1 / 2**20  # what an event takes in the log
CONNECTION_UNITS: Final = 440 / 4096 / 2  # to read the row of a connection among others, eventually consistent
PAGE_UNITS: Final = 128  # to read a page of 1 MB
TURNS: Final = DAYS * 24 * 60  # of the sweeper, each of which goes through so many pages of connections at most
TRACED: Final = 0.05  # of the invocations of a function, beyond one in each second: Lambda's own rate, which is fixed
RETENTION_DAYS: Final = 7
ALARM_FIGURES: Final = 54  # tests/template/test_pages.py counts them
OWN_FIGURES: Final = 44  # that functions tell, with those of five actions
SHARD_SUBMITS: Final = 250  # a second, of a partition of an index: docs/decisions and the parameter QueueShards
LATENCY_S: Final = 0.25  # between two looks of Lambda at a shard
SHARD_WRITES: Final = 1_000  # units a second of a partition, and so of a shard of its stream


@dataclass(frozen=True, slots=True)
class Month:
    """What happens in a month, and how much of it in a second on average."""

    use: Use

    @property
    def requests(self) -> float:
        """Requests that are submitted."""
        return self.use.connections * self.use.requests_a_day * DAYS

    @property
    def events(self) -> float:
        """Events that are appended: submitted, started, progress, completed."""
        return self.requests * (3 + self.use.progress)

    @property
    def connects(self) -> float:
        """Connections that are opened, and closed."""
        return self.use.connections * SECONDS / self.use.reconnect_s

    @property
    def pings(self) -> float:
        """Frames that only keep a connection open."""
        return self.use.connections * SECONDS / self.use.ping_s

    @property
    def others(self) -> float:
        """Subscriptions by others than who submits."""
        return self.requests * (self.use.watchers - 1)

    @property
    def frames(self) -> float:
        """Frames to and from clients: each of theirs is answered."""
        return 2 * (self.requests + self.others + self.pings) + self.requests * self.use.pushes * self.use.watchers

    @property
    def shards(self) -> int:
        """Shards of the log's stream, if a write of the log is a unit."""
        return max(1, ceil(self.events / SECONDS / SHARD_WRITES))

    @property
    def batches(self) -> float:
        """Invocations of each reader of the log."""
        in_a_look = self.events / SECONDS / self.shards * LATENCY_S
        return self.events / min(100.0, max(1.0, in_a_look))


def units() -> dict[str, tuple[float, float]]:
    """Read and write units of each operation, with those of indexes: the table of docs/capacity.md."""
    page = (Path(__file__).parents[1] / "docs" / "capacity.md").read_text()
    rows = re.findall(r"^\| (.+?) \| \d+ \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    return {name: (float(read), float(write) + float(index)) for name, read, write, index in rows}


def operations(month: Month) -> dict[str, float]:
    """How often each operation of docs/capacity.md happens."""
    requests, progress = month.requests, month.requests * month.use.progress
    return {
        "append a submission": requests,
        "project a submission: row, counts and audit entry": requests,
        "append a progress event": progress + requests,  # and the start
        "project a progress event": progress + requests,
        "complete a request": requests,
        "project a completion: row, counts and audit entry": requests,
        "load the newest event": requests + month.others,
        "subscribe to a request": requests + month.others,
        "find the one watcher of a topic": 3 * month.batches,  # a request's, its user's and its tenant's topic
        "save a connection": month.connects,
        "take from the bucket of a limit": 2 * requests + month.others,
    }


def invocations(month: Month) -> dict[str, float]:
    """How often each function is started."""
    return {
        "message": month.requests + month.others + month.pings,
        "authorize": month.connects,
        "connect": month.connects,
        "disconnect": month.connects,
        "notify_subscribers": month.batches,
        "project_views": month.batches + 2 * month.connects,
        "work": month.requests,
    }


def traces(month: Month) -> float:
    """How many invocations are traced: each function's first in a second, and a part of the others."""
    rates = (count / SECONDS for count in invocations(month).values())
    return SECONDS * sum(min(rate, 1.0) + TRACED * max(0.0, rate - 1.0) for rate in rates)


def costs(month: Month, speed: Speed, prices: Prices) -> dict[str, float]:
    """Dollars by what they are for."""
    known = units()
    done = operations(month)
    reads = sum(count * known[name][0] for name, count in done.items())
    reads += TURNS * min(month.use.connections * CONNECTION_UNITS, PAGES * PAGE_UNITS)
    writes = sum(count * known[name][1] for name, count in done.items())
    started = invocations(month)
    seconds = {field.name: getattr(speed, field.name) for field in fields(Speed)} | {"work": month.use.run_s}
    compute = {name: count * seconds[name] * MEMORY_GB[name] * prices.gb_second for name, count in started.items()}
    stored = month.events / DAYS * RETENTION_DAYS * EVENT_GB
    return {
        "connections": month.use.connections * DAYS * 24 * 60 * prices.connection_minute,
        "frames": month.frames * prices.message,
        "running the actions": compute.pop("work") + started["work"] * prices.invocation,
        "all other functions": sum(compute.values()) + (sum(started.values()) - started["work"]) * prices.invocation,
        "tables, written": writes * prices.write_unit,
        "tables, read": reads * prices.read_unit,
        "tables, kept": stored * prices.gb_month,
        "work queue": 3 * month.requests * prices.sqs_request,
        "logs": sum(started.values()) * LOG_LINE_GB * prices.log_gb,
        "traces": traces(month) * prices.trace,
        "alarms and figures": ALARM_FIGURES * prices.alarm + OWN_FIGURES * prices.own_figure + prices.secret,
    }


def needs(month: Month, speed: Speed) -> dict[str, float]:
    """What of the quotas is used: averages; a peak is as many times more as your busiest second is."""
    started = invocations(month)
    seconds = {field.name: getattr(speed, field.name) for field in fields(Speed)} | {"work": month.use.run_s}
    busy = {name: count / SECONDS * seconds[name] for name, count in started.items()}
    return {
        "connects a second": month.connects / SECONDS,
        "frames from clients a second": (month.requests + month.others + month.pings) / SECONDS,
        "frames to clients a second": (month.frames - month.requests - month.others - month.pings) / SECONDS,
        "requests that run at once (WorkConcurrency)": busy["work"],
        "functions that run at once": sum(busy.values()),
        "events a second": month.events / SECONDS,
        "shards of the log's stream": month.shards,
        "QueueShards": max(1, ceil(month.requests / SECONDS / SHARD_SUBMITS)),
    }


QUOTAS: Final[Mapping[str, str]] = {
    "connects a second": "500, can be raised",
    "frames from clients a second": "10,000 with those to clients and all APIs of the account, can be raised",
    "frames to clients a second": "the same",
    "requests that run at once (WorkConcurrency)": "the parameter, 10 unless set",
    "functions that run at once": "1,000, can be raised",
    "events a second": "40,000 write units of a table, can be raised",
    "shards of the log's stream": "DynamoDB's own business",
    "QueueShards": "the parameter, 1 unless set; 64 at most",
}


def table(head: str, rows: Mapping[str, list[str]], *more: str) -> Iterator[str]:
    """A table of Markdown, a column for each size."""
    yield f"| {head} | " + " | ".join([*(f"{size:,}" for size in SIZES), *more]) + " |"
    yield "|---|" + "--:|" * len(SIZES) + "---|" * len(more)
    for name, cells in rows.items():
        yield f"| {name} | " + " | ".join(cells) + " |"


def report(use: Use, speed: Speed, prices: Prices) -> str:
    """Both tables."""
    months = [Month(replace(use, connections=size)) for size in SIZES]
    dollars = [costs(month, speed, prices) for month in months]
    rows = {name: [f"{one[name]:,.0f}" for one in dollars] for name in dollars[0]}
    rows["**together**"] = [f"**{sum(one.values()):,.0f}**" for one in dollars]
    rows["for each request, in cents"] = [
        f"{100 * sum(one.values()) / month.requests:.3f}" for one, month in zip(dollars, months, strict=True)
    ]
    used = [needs(month, speed) for month in months]
    quotas = {name: [*(f"{one[name]:,.0f}" for one in used), QUOTAS[name]] for name in used[0]}
    return "\n".join(
        [
            *table("dollars a month, by connections that are open", rows),
            "",
            *table("needed on average, by connections that are open", quotas, "quota"),
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(report(Use(), Speed(), Prices()) + "\n")
