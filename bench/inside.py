"""What a handler's time is spent on: the handler runs in this process against a stack, with a timer around each call.

A timer around each call of boto3 and each wait for an answer; a profiler would slow Python down and the waits not.
"""

import http.client
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import mean
from typing import Any, Final
from unittest.mock import patch

from botocore.client import BaseClient

from local.aws import session
from local.environment import clean
from local.stack import Stack
from tests.kit.tables import environment_of

_READS: Final = frozenset({"Query", "GetItem"})


@dataclass(slots=True)
class Spent:
    """Seconds and calls of so many requests: all of it, in boto3 with its waits, and waiting for answers."""

    requests: int = 0
    total_s: float = 0.0
    boto_s: float = 0.0
    waiting_s: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)
    each: dict[str, list[float]] = field(default_factory=dict)  # seconds of each call, by operation and table
    before_start: Counter[str] = field(default_factory=Counter)  # up to the write that starts the attempt

    def shares(self) -> list[tuple[str, float]]:
        """Milliseconds a request, by whose code they were spent in."""
        parts = {
            "our code and what it uses": self.total_s - self.boto_s,
            "boto3": self.boto_s - self.waiting_s,
            "waiting for the emulator": self.waiting_s,
        }
        return [(name, 1000 * seconds / self.requests) for name, seconds in parts.items()]

    def told(self) -> str:
        """The handler's calls of AWS and what of its time each takes; some may run side by side."""
        whole = self.total_s / self.requests
        calls = [
            f"{len(took) / self.requests:g} x {name} ({100 * mean(took) / whole:.0f} % each)"
            for name, took in self.each.items()
        ]
        return f"calls of AWS in the handler and their share of its time: {', '.join(calls)}"


@contextmanager
def as_function(stack: Stack, logical_id: str) -> Iterator[None]:
    """Be one of the stack's functions: its environment, and its handler built anew."""
    functions = session().client("lambda", endpoint_url=stack.endpoint_url)
    pages = functions.get_paginator("list_functions").paginate()
    here = f"-{logical_id}-"
    (name,) = (one["FunctionName"] for page in pages for one in page["Functions"] if here in one["FunctionName"])
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    mine = clean(AWS_ENDPOINT_URL=stack.endpoint_url, POWERTOOLS_LOG_LEVEL="CRITICAL", **variables)
    with environment_of(mine):
        yield


@contextmanager
def timed(spent: Spent) -> Iterator[None]:
    """Add up the calls of boto3 made in the block, and the time that they and their waits take."""
    real_call = BaseClient._make_api_call  # type: ignore[attr-defined]
    real_wait = http.client.HTTPConnection.getresponse
    has_started = False

    def make_api_call(client: BaseClient, operation: str, arguments: Any) -> Any:
        nonlocal has_started
        began = time.perf_counter()
        try:
            return real_call(client, operation, arguments)
        finally:
            took = time.perf_counter() - began
            name = " ".join([operation, *_table(arguments)])
            spent.boto_s += took
            spent.each.setdefault(name, []).append(took)
            spent.calls[operation] += 1
            if not has_started:
                spent.before_start["read" if operation in _READS else "write"] += 1
            has_started |= operation not in _READS

    def getresponse(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        began = time.perf_counter()
        try:
            return real_wait(connection)
        finally:
            spent.waiting_s += time.perf_counter() - began

    with (
        patch.object(BaseClient, "_make_api_call", make_api_call),
        patch.object(http.client.HTTPConnection, "getresponse", getresponse),
    ):
        yield


def _table(arguments: Any) -> list[str]:
    """The short name of the table that a call is about."""
    name = str(arguments.get("TableName", ""))
    return [name.split("-")[1].removesuffix("Table")] if "-" in name else []
