"""A running attempt: the Progress that an action reports to, and the lease that says its worker is alive.

Reports that come faster than four a second are merged, the newest wins; what is pending is written before anything
else of the attempt is. A thread writes what is pending and renews the lease also while the action is silent. Every
write tells whether the request was cancelled or taken over; the action hears of it at its next report.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self

from actions.outcomes import Stopped
from adapters.clock import Clock
from adapters.request_queue import RequestQueue
from domain import exact_json
from domain.errors import AlreadyFinal, AttemptOver, PayloadTooLarge, Unavailable
from domain.recorded import Head

REPORT_INTERVAL_S: Final = 0.25
CHUNK_LIMIT: Final = 16 * 1024  # bytes of JSON: what a push can carry along with others
DETAILS_LIMIT: Final = 1024  # bytes of JSON: they travel in the event and again in the state
_MESSAGE_LIMIT: Final = 256
Told = ParamSpec("Told")


class Attempt:
    """One attempt at a request, from its start to the end of the action; a Progress for the action."""

    def __init__(self, queue: RequestQueue, head: Head, lease: timedelta, clock: Clock) -> None:
        self._queue = queue
        self._head = head
        self._attempt = head.state.attempt
        self._lease = lease
        self._clock = clock
        self._lock = threading.RLock()
        self._pending: tuple[float, str | None, dict[str, Any] | None] | None = None
        self._written_at = float("-inf")
        self._outputs = 0
        self._stopped = threading.Event()
        self._done = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"lease-{head.request_id}", daemon=True)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._keeper.join()

    @property
    def number(self) -> int:
        """The attempt's number, its fencing token."""
        return self._attempt

    def report(self, percent: float, message: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        """Tell how far the work is; Stopped when nobody wants it any more."""
        text = message[:_MESSAGE_LIMIT] if message else None
        exact_json.encode(text)
        _require_size("details", details, DETAILS_LIMIT)
        percent = min(100.0, max(0.0, float(percent)))
        with self._lock:
            self._pending = (percent, text, dict(details) if details else None)
            if self._clock.monotonic() - self._written_at >= REPORT_INTERVAL_S:
                with suppress(Unavailable):  # still pending: the keeper writes it at its next turn
                    self._flush()
        self._raise_if_stopped()

    def output(self, chunk: Any) -> None:
        """Hand over a part of the result; PayloadTooLarge above CHUNK_LIMIT, Stopped when nobody wants it any more."""
        _require_size("an output", chunk, CHUNK_LIMIT)
        self._raise_if_stopped()
        with self._lock:
            self._flush()
            self._write(self._queue.append_output, self._outputs, chunk)
            self._outputs += 1
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

    def _flush(self) -> None:
        if self._pending and not self._stopped.is_set():
            self._write(self._queue.report_progress, *self._pending)
            self._pending = None
            self._written_at = self._clock.monotonic()

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
                self._stopped.set()

    def _raise_if_stopped(self) -> None:
        if self._stopped.is_set():
            raise Stopped(self._head.request_id)


def _require_size(what: str, value: Any, limit: int) -> None:
    exact_json.require_shallow(value, exact_json.FRAME_DEPTH)
    if len(exact_json.encode(value).encode()) > limit:
        raise PayloadTooLarge(f"{what}: at most {limit} bytes of JSON")
