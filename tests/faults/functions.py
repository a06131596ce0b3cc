"""The functions, each in a process of its own as on Lambda, which may be killed in the middle of an invocation."""

import multiprocessing
import os
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from domain.errors import Unavailable
from handlers import message, notify_subscribers, project_views, sweep, work
from tests.simulation.mutants import MUTANTS

HANDLERS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "message": message.handler,
    "notify_subscribers": notify_subscribers.handler,
    "project_views": project_views.handler,
    "sweep": sweep.handler,
    "work": work.handler,
}
_TIMEOUT_S: Final = 30
_HASTE: Final = 10  # by which the SDK's pauses between its tries are shorter than on AWS: more happens in less time
# The processes are forked by one that has imported everything and has no threads.
_PROCESSES: Final = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.faults.warm"])


class Lost(Exception):
    """An invocation came to nothing: its process was killed, or the world below it failed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an invocation that ended: an answer, a failure of the world below, or an error of ours."""

    given: Any = None
    unavailable: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Invocation:
    """Lambda's context."""

    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """All of it."""
        return _TIMEOUT_S * 1000


class Function:
    """A function with one process, which is started anew for the next event when it has ended."""

    def __init__(self, name: str, log: Path, mutant: str | None = None) -> None:
        self.name = name
        self.errors: list[str] = []
        self.timed_out = 0
        self.lost_in_a_row = 0
        self._log = log
        self._mutant = mutant
        self._environment = dict(os.environ)
        self._lock = Lock()
        self._process: BaseProcess | None = None
        self._line: Connection | None = None
        self._is_busy = False

    def invoke(self, event: Any) -> Any:
        """What it answers to an event; Lost when it does not."""
        with self._lock:
            line = self._ready()
            self._is_busy = True
            try:
                line.send(event)
                if not line.poll(_TIMEOUT_S):
                    self.timed_out += 1
                    self.kill()
                answer: Answer = line.recv()
            except (EOFError, OSError) as exc:
                self._end()
                self.lost_in_a_row += 1
                raise Lost(self.name) from exc
            finally:
                self._is_busy = False
            self.lost_in_a_row = 0
        if answer.error:
            self.errors.append(f"{self.name} raised {answer.error}")
        if answer.error or answer.unavailable:
            raise Lost(self.name)
        return answer.given

    def kill(self) -> bool:
        """Kill its process without a word; False if it has nothing to do."""
        process = self._process
        if process is None or not self._is_busy:
            return False
        process.kill()
        return True

    def close(self) -> None:
        """End its process."""
        with self._lock:
            self._end()

    def _ready(self) -> Connection:
        if self._line is None or self._process is None or not self._process.is_alive():
            self._end()
            self._line, theirs = _PROCESSES.Pipe()
            self._process = _PROCESSES.Process(
                target=_serve, args=(theirs, self.name, self._log, self._mutant, self._environment), daemon=True
            )
            self._process.start()
            theirs.close()
        return self._line

    def _end(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._line = self._process = None


def _serve(line: Connection, name: str, log: Path, mutant: str | None, environment: Mapping[str, str]) -> None:
    """Answer events until nobody sends one any more."""
    os.environ |= environment  # what it was forked from may be older than the stage
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    hasty = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / _HASTE))
    with MUTANTS[mutant]() if mutant else nullcontext(), patch("botocore.endpoint.time", hasty):
        while True:
            try:
                event = line.recv()
            except EOFError:
                return
            line.send(_answer(name, event))


def _answer(name: str, event: Any) -> Answer:
    try:
        return Answer(given=HANDLERS[name](event, Invocation()))
    except Unavailable as exc:
        return Answer(unavailable=str(exc))
    except Exception as exc:  # noqa: BLE001 - Lambda takes any error of a function's; here it is told
        return Answer(error=f"{type(exc).__name__}: {exc}")
