"""A running attempt: the Progress that an action reports to, and the lease that says its worker is alive.

Reports and checkpoints that come faster than four a second are merged, the newest wins; what is pending is written
before anything else of the attempt is. Outputs are written one by one, in order; while the log is unavailable some of
them wait. A thread writes what is pending and renews the lease also while the action is silent. Every write tells
whether the request was cancelled or taken over; the action hears of it at its next report.
"""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self

from actions.limits import CHUNK_LIMIT, MESSAGE_LIMIT, settled, settled_checkpoint, settled_details
from actions.outcomes import Cancelled, Stopped, TakenOver
from adapters.clock import Clock
from adapters.request_queue import RequestQueue
from adapters.threads import THREADS, Running, Threads
from domain.errors import AlreadyFinal, AttemptOver, Unavailable
from domain.recorded import Head
from domain.validity import as_text

REPORT_INTERVAL_S: Final = 0.25
OUTPUTS_WAITING: Final = 16  # at most, while the log is unavailable
Told = ParamSpec("Told")


class Attempt:
    """One attempt at a request, from its start to the end of the action; a Progress for the action."""

    def __init__(
        self, queue: RequestQueue, head: Head, lease: timedelta, clock: Clock, threads: Threads = THREADS
    ) -> None:
        self._queue = queue
        self._head = head
        self._attempt = head.state.attempt
        self._lease = lease
        self._clock = clock
        self._threads = threads
        self._lock = threads.lock()
        self._pending: tuple[float, str | None, dict[str, Any] | None] | None = None
        self._written_at = float("-inf")
        self._unsaved: Any = None
        self._chunks: deque[Any] = deque()
        self._outputs = 0
        self._why: type[Stopped] = TakenOver
        self._stopped = threads.event()
        self._done = threads.event()
        self._keeper: Running | None = None

    def __enter__(self) -> Self:
        self._keeper = self._threads.start(f"lease-{self._head.request_id}", self._keep)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._keeper is not None:
            self._keeper.join()

    @property
    def number(self) -> int:
        """The attempt's number, its fencing token."""
        return self._attempt

    @property
    def lease_until(self) -> datetime:
        """When another worker may have the request, as far as this one knows."""
        return self._head.state.lease_until

    def report(self, percent: float, message: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        """Tell how far the work is; Stopped when nobody wants it any more."""
        text = as_text(message, MESSAGE_LIMIT) if message else None
        told = settled_details(details)
        percent = min(100.0, max(0.0, float(percent)))
        with self._lock:
            self._pending = (percent, text, told)
            self._flush_in_time()
        self._raise_if_stopped()

    def checkpoint(self, value: Any) -> None:
        """Save what the next attempt goes on from; PayloadTooLarge above CHECKPOINT_LIMIT, Stopped likewise."""
        saved = settled_checkpoint(value)
        with self._lock:
            self._unsaved = saved
            self._flush_in_time()
        self._raise_if_stopped()

    def output(self, chunk: Any) -> None:
        """Hand over a part of the result; PayloadTooLarge above CHUNK_LIMIT, Stopped when nobody wants it any more.

        It is written at once. While the log is unavailable OUTPUTS_WAITING of them wait, then it is Unavailable for
        the action, too: then this one is not among them.
        """
        settled_chunk = settled("an output", chunk, CHUNK_LIMIT)
        self._raise_if_stopped()
        with self._lock:
            if len(self._chunks) >= OUTPUTS_WAITING:
                self._flush()
            self._chunks.append(settled_chunk)
            with suppress(Unavailable):
                self._flush()
        self._raise_if_stopped()

    def wait(self, seconds: float) -> None:
        """Let time pass; Stopped as soon as nobody wants the result any more."""
        self._stopped.wait(seconds)
        self._raise_if_stopped()

    def finish(self) -> Head:
        """Write what is pending and give the head for the attempt's last event."""
        self._done.set()
        with self._lock:
            self._flush()
            return self._head

    def _keep(self) -> None:
        while not self._done.wait(REPORT_INTERVAL_S):
            # Unavailable: tried again at the next turn; if it never succeeds the lease ends, as it must.
            with self._lock, suppress(Unavailable):
                self._flush()
                self._renew()

    def _flush_in_time(self) -> None:
        if self._clock.monotonic() - self._written_at >= REPORT_INTERVAL_S:
            with suppress(Unavailable):  # still pending: the keeper writes it at its next turn
                self._flush()

    def _flush(self) -> None:
        if (self._pending or self._unsaved is not None) and not self._stopped.is_set():
            now = self._head.state
            told = self._pending or (now.percent, now.message, now.details)
            self._write(self._queue.report_progress, *told, self._unsaved)
            self._pending = self._unsaved = None
            self._written_at = self._clock.monotonic()
        while self._chunks and not self._stopped.is_set():
            # One that was written although its answer was lost has this index in the log, and is not written again.
            self._write(self._queue.append_output, self._outputs, self._chunks[0])
            self._outputs += 1
            self._chunks.popleft()

    def _renew(self) -> None:
        left = self._head.state.lease_until - self._clock.now()
        if not self._stopped.is_set() and left < self._lease * 2 / 3:
            self._write(self._queue.renew_lease, self._lease)

    def _write(
        self, change: Callable[Concatenate[Head, int, Told], Head], *told: Told.args, **more: Told.kwargs
    ) -> None:
        try:
            self._head = change(self._head, self._attempt, *told, **more)
        except (AttemptOver, AlreadyFinal):
            self._stopped.set()
        else:
            if self._head.state.cancel_requested:
                self._why = Cancelled
                self._stopped.set()

    def _raise_if_stopped(self) -> None:
        if self._stopped.is_set():
            raise self._why(self._head.request_id)
