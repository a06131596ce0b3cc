"""The AWS calls of a piece of code: written down, and chosen ones made to go wrong.

It sits where boto3 hands a call over, so paginators, waiters and clients made long before are seen as well.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError


class Crash(Exception):
    """The process ends here: no code of ours catches this."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its place among the calls (from 0), the operation and the arguments."""

    place: int
    operation: str
    arguments: Mapping[str, Any]


Make = Callable[[], Any]
Fault = Callable[[Call, Make], Any]
Choice = Callable[[Call], bool]


@dataclass(slots=True)
class Calls:
    """What was called, what of it was answered, and how often a fault struck."""

    made: list[Call] = field(default_factory=list)
    answered: list[Call] = field(default_factory=list)
    fired: int = 0

    def of(self, operation: str) -> list[Call]:
        """The calls of one operation."""
        return [call for call in self.made if call.operation == operation]


@contextmanager
def watched(fault: Fault | None = None, when: Choice = lambda _: True) -> Iterator[Calls]:
    """Write down the calls made in the block; those that `when` chooses go through the fault. Blocks nest."""
    real = BaseClient._make_api_call  # type: ignore[attr-defined]
    calls = Calls()
    lock = Lock()

    def make_api_call(client: BaseClient, operation: str, arguments: Mapping[str, Any]) -> Any:
        with lock:
            call = Call(len(calls.made), operation, arguments)
            calls.made.append(call)
            strikes = fault is not None and when(call)
            calls.fired += strikes
        if fault is not None and strikes:
            answer = fault(call, lambda: real(client, operation, arguments))
        else:
            answer = real(client, operation, arguments)
        calls.answered.append(call)
        return answer

    with patch.object(BaseClient, "_make_api_call", make_api_call):
        yield calls


def at(place: int) -> Choice:
    """Choose the call at a place."""
    return lambda call: call.place == place


def each(operation: str) -> Choice:
    """Choose every call of an operation."""
    return lambda call: call.operation == operation


def nth(operation: str, number: int) -> Choice:
    """Choose the number-th call of an operation (from 0)."""
    count = iter(range(1_000_000))
    return lambda call: call.operation == operation and next(count) == number


def crash_before(_: Call, __: Make) -> Any:
    """The process ends before the call."""
    raise Crash


def crash_after(_: Call, make: Make) -> Any:
    """The process ends when the call has happened."""
    make()
    raise Crash


def refused(call: Call, _: Make) -> Any:
    """The service says that it is out of order; nothing happened."""
    raise ClientError({"Error": {"Code": "InternalServerError", "Message": "made up"}}, call.operation)


def answer_lost(_: Call, make: Make) -> Any:
    """The call happened, and nobody will ever know."""
    make()
    raise ReadTimeoutError(endpoint_url="https://made.up")


def sent_twice(_: Call, make: Make) -> Any:
    """The answer was lost and the SDK sent the call again, which is all that the caller sees."""
    make()
    return make()


def overtaken_by(overtaker: Callable[[], object]) -> Fault:
    """Somebody else does something right after the call."""

    def fault(_: Call, make: Make) -> Any:
        answer = make()
        overtaker()
        return answer

    return fault
