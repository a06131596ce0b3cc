"""The way between a function and a service: delays, the SDK's tries, and what befalls a call on the way."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError, ReadTimeoutError

from adapters.http_lines import NoAnswer
from tests.simulation.faults import Faults
from tests.simulation.time_machine import RUNNING, Crash, Machine, Process

Answer = TypeVar("Answer")

TRIES: Final = {"dynamodb": 3, "sqs": 3, "s3": 4, "sockets": 3}
ANSWER_S: Final = {"dynamodb": 2.0, "sqs": 2.0, "s3": 20.0, "sockets": 1.0}  # how long the SDK waits for an answer
THROTTLED: Final = {
    "dynamodb": "ProvisionedThroughputExceededException",
    "sqs": "RequestThrottled",
    "s3": "SlowDown",
    "sockets": "LimitExceededException",
}
_FINAL: Final = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException", "GoneException"})
_OUTAGE_S: Final = (3.0, 40.0)
_LATE_S: Final = (0.5, 8.0)


@dataclass(slots=True)
class Calls:
    """How many calls there were, and how many tries of the SDK."""

    made: int = 0
    tried: int = 0


class Network:
    """The way of every call of a history."""

    def __init__(self, machine: Machine, faults: Faults) -> None:
        self._machine = machine
        self._faults = faults
        self._out_until: dict[str, float] = {}
        self.calls = Calls()
        self.trace: Callable[[str], None] | None = None

    def call(self, service: str, operation: str, perform: Callable[[], Answer]) -> Answer:
        """What the call answers, or what the SDK raises once it has given up."""
        if self.trace is None:
            return self._called(service, operation, perform)
        process = self._machine.process
        where = f"{process.function}/{process.request_id[:6]} {operation}" if process else operation
        began = self._machine.now
        try:
            answer = self._called(service, operation, perform)
        except BaseException as exc:
            self.trace(f"{began:.3f}-{self._machine.now:.3f} {where}: {exc!r}")
            raise
        self.trace(f"{began:.3f}-{self._machine.now:.3f} {where}: {answer}")
        return answer

    def _called(self, service: str, operation: str, perform: Callable[[], Answer]) -> Answer:
        process = self._machine.process
        assert process is not None, f"only functions call services: {operation}"
        if process.dead:
            raise process.dead
        faults = self._faults
        point = f"{process.function}:{operation}"
        self.calls.made += 1
        if faults.strikes("crash_before"):
            self._crash(f"{point}:before")
        if faults.strikes("frozen"):
            self._machine.freeze(process, faults.between(8, 90))
        failure: Exception | None = None
        for tries in range(TRIES[service]):
            self.calls.tried += 1
            self._machine.sleep(faults.between(0.001, 0.012))
            try:
                answer = self._once(service, operation, perform)
            except _Lost as lost:
                process.hindered = True
                failure = lost.error
                self._machine.sleep(lost.after + faults.rng.random() * min(2.0**tries, 20.0) * 0.05)
                continue
            except ClientError as exc:
                if exc.response["Error"]["Code"] == THROTTLED[service]:  # the socket's own limit
                    process.hindered = True
                    failure = exc
                    self._machine.sleep(faults.rng.random() * 2.0**tries * 0.05)
                    continue
                if faults.strikes("crash_after") and exc.response["Error"]["Code"] in _FINAL:
                    self._crash(f"{point}:after")
                raise
            if faults.strikes("crash_after"):
                self._crash(f"{point}:after")
            return answer
        assert failure is not None
        faults.fired["gave_up"] += 1
        raise failure

    def lag(self) -> float:
        """How many seconds old an inconsistent read is."""
        return self._faults.between(0.01, 2.5) if self._faults.strikes("stale_read") else 0.0

    def cut(self) -> int | None:
        """After how many rows a page ends early, if it does."""
        return 1 + int(self._faults.rng.random() * 4) if self._faults.strikes("page_cut") else None

    def drop(self) -> bool:
        """Whether a batch leaves one of its rows to be sent again."""
        return self._faults.strikes("unprocessed")

    def outage(self, service: str) -> None:
        """Let a service be out of order for a while."""
        self._faults.fired["outage"] += 1
        self._out_until[service] = self._machine.now + self._faults.between(*_OUTAGE_S)

    def _once(self, service: str, operation: str, perform: Callable[[], Answer]) -> Answer:
        faults = self._faults
        if self._machine.now < self._out_until.get(service, 0.0) and not faults.stopped and faults.rng.random() < 0.8:
            kind = faults.one_of(("server_error", "timed_out", "throttled"))
            faults.fired[kind] += 1
            raise self._lost(kind, service, operation)
        if faults.strikes("throttled"):
            raise self._lost("throttled", service, operation)
        if faults.strikes("server_error"):
            raise self._lost("server_error", service, operation)
        if faults.strikes("timed_out"):
            raise self._lost("timed_out", service, operation)
        if operation == "transact_write_items" and faults.strikes("transaction_conflict"):
            raise conflict(operation)
        if faults.strikes("answer_lost"):
            _unheard(perform)
            raise self._lost("timed_out", service, operation)
        if service != "sockets" and faults.strikes("arrived_late"):
            self._machine.loop.call_later(faults.between(*_LATE_S), _unheard, perform)
            raise self._lost("timed_out", service, operation)
        return perform()

    def _lost(self, kind: str, service: str, operation: str) -> "_Lost":
        match kind:
            case "throttled":
                return _Lost(_error(THROTTLED[service], operation, 429), 0.0)
            case "server_error":
                return _Lost(_error("InternalServerError", operation, 500), 0.0)
            case _:
                return _Lost(ReadTimeoutError(endpoint_url=f"https://{service}"), ANSWER_S[service])

    async def ask(self, operation: str, perform: Callable[[], Awaitable[int]]) -> int:
        """The status of one post of a broadcast, which tries again by itself; NoAnswer when none comes."""
        process, faults = RUNNING.get(), self._faults
        point = f"{process.function}:{operation}"
        self.calls.made += 1
        self.calls.tried += 1
        if faults.strikes("crash_before"):
            await self._end(process, f"{point}:before")
        await asyncio.sleep(faults.between(0.001, 0.012))
        status = await self._status(perform)
        if faults.strikes("crash_after"):
            await self._end(process, f"{point}:after")
        return status

    async def _status(self, perform: Callable[[], Awaitable[int]]) -> int:
        faults = self._faults
        if self._machine.now < self._out_until.get("sockets", 0.0) and not faults.stopped and faults.rng.random() < 0.8:
            faults.fired["server_error"] += 1
            return 500
        if faults.strikes("throttled"):
            return 429
        if faults.strikes("server_error"):
            return 500
        lost = faults.strikes("answer_lost")
        if lost:
            await perform()
        if lost or faults.strikes("timed_out"):
            await asyncio.sleep(ANSWER_S["sockets"])
            raise NoAnswer
        return await perform()

    async def _end(self, process: Process, point: str) -> None:
        self._faults.crashes[point] += 1
        self._machine.end(process, Crash(point))
        await asyncio.sleep(ANSWER_S["s3"])  # nothing of the process goes on, and neither does this

    def _crash(self, point: str) -> None:
        process = self._machine.process
        assert process is not None
        self._faults.crashes[point] += 1
        crash = Crash(point)
        self._machine.end(process, crash)
        raise crash


def _unheard(perform: Callable[[], object]) -> None:
    """Do what was asked for; nobody hears what came of it."""
    with suppress(ClientError):
        perform()


class _Lost(Exception):
    """One try of the SDK that failed so that it tries again; `after` is how long that took to find out."""

    def __init__(self, error: Exception, after: float) -> None:
        super().__init__(str(error))
        self.error = error
        self.after = after


def _error(code: str, operation: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "made up"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


def conflict(operation: str) -> ClientError:
    """A transaction that met another one."""
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "made up"},
        "CancellationReasons": [{"Code": "TransactionConflict", "Message": "made up"}],
    }
    return ClientError(answer, operation)
