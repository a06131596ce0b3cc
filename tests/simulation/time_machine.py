"""Virtual time, and everything that runs in it: one thread, one clock, the same run for the same seed.

Coroutines (the platform's pollers, the clients) run on an event loop that jumps to the next timer instead of waiting.
Functions run in greenlets: each call to a service hands over to the loop, so invocations meet at every call that they
make, and a process can be frozen or ended there.
"""

import asyncio
import contextvars
import random
import uuid
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from adapters.clock import Clock
from adapters.threads import Event, Lock, Pool, Running, Threads
from domain.errors import DeadlineExceeded
from domain.instant import to_instant
from tests.kit.clock import START

T = TypeVar("T")
R = TypeVar("R")
_RESOLUTION: Final = 1e-6


class NothingLeft(Exception):
    """The loop has nothing to wait for: whoever waits, waits for ever."""


class Loop(asyncio.BaseEventLoop):
    """An event loop whose time is a number."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._clock_resolution = _RESOLUTION
        self._selector = self

    def time(self) -> float:
        """The virtual seconds since the start."""
        return self._now

    def select(self, timeout: float | None) -> list[Any]:
        """Let the time until the next timer pass."""
        if timeout is None:
            raise NothingLeft
        self._now += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """There is no other thread to wake this one."""


class Crash(BaseException):
    """The process ends here: no code catches this."""

    def __init__(self, point: str) -> None:
        super().__init__(point)
        self.point = point


class _Overrun(BaseException):
    """The alarm of a deadline."""


@dataclass(slots=True, eq=False)
class Process:
    """One invocation of a function, in an execution environment with a clock of its own."""

    function: str
    request_id: str
    skew: float = 0.0
    dead: Crash | None = None
    frozen_until: float = 0.0
    hindered: bool = False
    threads: list["Thread"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an invocation ended: with what its handler gave, with its error, or with its process."""

    result: Any = None
    error: BaseException | None = None

    @property
    def failed(self) -> bool:
        """Whether the platform sees a function error."""
        return self.error is not None


RUNNING: "contextvars.ContextVar[Process]" = contextvars.ContextVar("RUNNING")


class Thread(greenlet):
    """A thread of a process."""

    def __init__(self, work: Callable[[], None], hub: greenlet, process: Process) -> None:
        super().__init__(work, hub)
        self.process = process
        self.timer: asyncio.TimerHandle | None = None
        self.ended = False


class Machine:
    """Runs processes on a loop."""

    def __init__(self, loop: Loop, rng: random.Random) -> None:
        self.loop = loop
        self.rng = rng
        self.processes = 0
        self._hub = getcurrent()

    @property
    def now(self) -> float:
        """The virtual seconds since the start."""
        return self.loop.time()

    @property
    def process(self) -> Process | None:
        """Whose call this is; None for the platform's own."""
        current = getcurrent()
        return current.process if isinstance(current, Thread) else None

    async def invoke(
        self,
        function: str,
        handler: Callable[[], Any],
        *,
        limit: float,
        skew: float = 0.0,
        request_id: str = "",
        begun: Callable[[Process], None] = lambda _: None,
    ) -> Outcome:
        """Run a handler in a process of its own until it ends, crashes or is out of time."""
        self.processes += 1
        process = Process(function, request_id or f"{self.rng.getrandbits(64):016x}", skew)
        begun(process)
        done: asyncio.Future[Outcome] = self.loop.create_future()

        def work() -> None:
            try:
                outcome = Outcome(result=handler())
            except GreenletExit:
                return
            except BaseException as exc:  # noqa: BLE001 - the platform sees all that leaves a handler
                outcome = Outcome(error=exc)
            if not done.done():
                done.set_result(outcome)

        alarm = self.loop.call_later(limit, self.end, process, Crash(f"{function}:out of time"))
        self._start(Thread(work, self._hub, process))
        try:
            outcome = await done
        finally:
            alarm.cancel()
        self.end(process, process.dead or Crash(f"{function}:ended"))
        return outcome

    def end(self, process: Process, crash: Crash) -> None:
        """End a process wherever its threads are."""
        process.dead = process.dead or crash
        for thread in process.threads:
            if not thread.ended and thread is not getcurrent():
                self.loop.call_soon(self._throw, thread, crash)

    def freeze(self, process: Process, seconds: float) -> None:
        """Let nothing of a process go on for a while; it does not know."""
        process.frozen_until = max(process.frozen_until, self.now + seconds)
        process.hindered = True

    # --- from within a thread --------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Let time pass for this thread."""
        thread = self._thread()
        thread.timer = self.loop.call_later(seconds, self._resume, thread)
        self._park(thread)

    def wait_for(self, waiting: list[Thread], seconds: float | None) -> None:
        """Wait until another thread calls `wake` on the list, or for so long."""
        thread = self._thread()
        waiting.append(thread)
        if seconds is not None:
            thread.timer = self.loop.call_later(seconds, self._resume, thread)
        try:
            self._park(thread)
        finally:
            if thread in waiting:
                waiting.remove(thread)

    def wake(self, waiting: list[Thread]) -> None:
        """Let those go on that wait."""
        for thread in waiting:
            if thread.timer is not None:
                thread.timer.cancel()
            thread.timer = self.loop.call_later(0, self._resume, thread)
        waiting.clear()

    def spawn(self, work: Callable[[], None]) -> Thread:
        """Another thread of this process."""
        process = self._thread().process

        def guarded() -> None:
            try:
                work()
            except GreenletExit:
                return
            except Crash as crash:
                self.end(process, crash)

        thread = Thread(guarded, self._hub, process)
        self._start(thread)
        return thread

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine for this thread, as a loop of its own would; it ends with the process."""
        thread = self._thread()
        context = contextvars.copy_context()
        context.run(RUNNING.set, thread.process)
        task = self.loop.create_task(work, context=context)
        waiting: list[Thread] = []
        task.add_done_callback(lambda _: self.wake(waiting))
        try:
            while not task.done():
                self.wait_for(waiting, None)
        except BaseException:
            task.cancel()
            raise
        return task.result()

    def interrupt(self, thread: Thread, error: BaseException, is_wanted: Callable[[], bool]) -> None:
        """Raise an error in a thread where it waits, as a signal does; a frozen process gets it when it thaws."""
        if is_wanted() and not thread.ended and thread.process.dead is None:
            if thread.process.frozen_until > self.now:
                self.loop.call_at(thread.process.frozen_until, self.interrupt, thread, error, is_wanted)
            else:
                self._throw(thread, error)

    def _thread(self) -> Thread:
        current = getcurrent()
        assert isinstance(current, Thread), "only functions wait"
        return current

    def _park(self, thread: Thread) -> None:
        if thread.process.dead:
            raise thread.process.dead
        try:
            self._hub.switch()
        finally:
            if thread.timer is not None:
                thread.timer.cancel()
                thread.timer = None

    def _start(self, thread: Thread) -> None:
        thread.process.threads.append(thread)
        thread.timer = self.loop.call_later(0, self._resume, thread)

    def _resume(self, thread: Thread) -> None:
        if thread.process.frozen_until > self.now:
            thread.timer = self.loop.call_at(thread.process.frozen_until, self._resume, thread)
            return
        thread.timer = None
        if not thread.ended:
            thread.switch()
            thread.ended = thread.dead

    def _throw(self, thread: Thread, error: BaseException) -> None:
        if thread.ended:
            return
        if not thread.gr_frame:  # not begun: it never will
            if thread.timer is not None:
                thread.timer.cancel()
            thread.ended = True
            return
        thread.throw(error)
        thread.ended = thread.dead


class VirtualClock(Clock):
    """Time, ids and randomness from the machine; each process sees the time a little differently."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def now(self) -> datetime:
        """The instant, as the process that asks has it."""
        process = self._machine.process
        return at(self._machine.now + (process.skew if process else 0.0))

    def monotonic(self) -> float:
        """The virtual seconds."""
        return self._machine.now

    def jitter(self) -> float:
        """A number of the seed's."""
        return self._machine.rng.random()

    def event_id(self) -> str:
        """32 hexadecimal digits of the seed's."""
        return f"{self._machine.rng.getrandbits(128):032x}"

    def request_id(self) -> str:
        """A UUID of version 7 of the seed's."""
        milliseconds = int(self.now().timestamp() * 1000)
        bits = milliseconds << 80 | self._machine.rng.getrandbits(74)
        return str(uuid.UUID(int=bits & ~(0xF << 76) & ~(0b11 << 62) | 7 << 76 | 0b10 << 62))


def at(seconds: float) -> datetime:
    """The instant so many virtual seconds after the start."""
    return to_instant(START + timedelta(seconds=seconds))


class VirtualThreads(Threads):
    """Threads, locks and deadlines in virtual time."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def event(self) -> Event:
        """A flag that is down."""
        return _Event(self._machine)

    def lock(self) -> Lock:
        """A lock that nobody holds."""
        return _Lock(self._machine)

    def start(self, name: str, work: Callable[[], None]) -> Running:  # noqa: ARG002
        """Begin work in the background."""
        return _Running(self._machine, work)

    def pool(self, size: int, name: str) -> Pool:  # noqa: ARG002
        """So many threads."""
        return _Pool(self._machine, size)

    @contextmanager
    def deadline(self, limit: timedelta) -> Iterator[None]:
        """Raise DeadlineExceeded in the block once the limit has passed."""
        thread, overrun = getcurrent(), _Overrun()
        assert isinstance(thread, Thread)
        is_set = True
        alarm = self._machine.loop.call_later(
            max(limit.total_seconds(), 0.001), self._machine.interrupt, thread, overrun, lambda: is_set
        )
        try:
            yield
        except _Overrun as exc:
            if exc is not overrun:
                raise
            raise DeadlineExceeded(f"no answer within {limit.total_seconds():g} s") from exc
        finally:
            is_set = False
            alarm.cancel()


class _Event:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._up = False
        self._waiting: list[Thread] = []

    def is_set(self) -> bool:
        return self._up

    def set(self) -> None:
        self._up = True
        self._machine.wake(self._waiting)

    def wait(self, timeout: float | None = None) -> bool:
        if not self._up:
            self._machine.wait_for(self._waiting, timeout)
        return self._up


class _Lock:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._holder: object = None
        self._times = 0
        self._waiting: list[Thread] = []

    def __enter__(self) -> None:
        me = getcurrent()
        while self._holder not in (None, me):
            self._machine.wait_for(self._waiting, None)
        self._holder = me
        self._times += 1

    def __exit__(self, *_: object) -> None:
        self._times -= 1
        if not self._times:
            self._holder = None
            self._machine.wake(self._waiting)


class _Running:
    def __init__(self, machine: Machine, work: Callable[[], None]) -> None:
        self._machine = machine
        self._ended = _Event(machine)

        def run() -> None:
            try:
                work()
            finally:
                self._ended.set()

        machine.spawn(run)

    def join(self) -> None:
        self._ended.wait()


class _Pool:
    """Threads are made anew for each map, so that they are the process's that asks."""

    def __init__(self, machine: Machine, size: int) -> None:
        self._machine = machine
        self._size = size

    def map(self, work: Callable[[T], R], items: Iterable[T], /) -> Iterator[R]:
        todo = list(items)
        if len(todo) <= 1:
            return map(work, todo)
        answers: dict[int, R] = {}
        errors: dict[int, Exception] = {}
        places = iter(range(len(todo)))

        def share() -> None:
            for place in places:
                try:
                    answers[place] = work(todo[place])
                except Exception as exc:  # noqa: BLE001 - raised again where the answer is taken
                    errors[place] = exc

        for running in [_Running(self._machine, share) for _ in range(min(self._size, len(todo)))]:
            running.join()
        return self._given(len(todo), answers, errors)

    @staticmethod
    def _given(count: int, answers: dict[int, R], errors: dict[int, Exception]) -> Iterator[R]:
        for place in range(count):
            if place in errors:
                raise errors[place]
            yield answers[place]
