"""The worker: claims a request, runs its action, and tells the log how it ended."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import chain, repeat
from typing import Any, Final

from msgspec import Struct

from actions.context import Context, TenantViews
from actions.ending import Ended, called, raised, returned
from actions.outcomes import Stopped
from actions.registry import Action, Registry
from adapters.attempt import Attempt
from adapters.claims import Claim
from adapters.clock import Clock
from adapters.objects import Objects
from adapters.queue_index import Rotation
from adapters.request_queue import RequestQueue
from adapters.threads import THREADS, Threads
from adapters.work_files import WorkFiles
from adapters.work_tokens import WorkTokens
from domain.errors import Rejected, Unavailable
from domain.recorded import Head
from projections.intents import Wake

ENDING_S: Final = 5.0  # beyond an action's limit, to tell how it ended: half of what the function keeps for that
PAUSES_S: Final = (0.2, 0.4, 0.8, 1.6, 3.2)


class Done(Struct, frozen=True):
    """What became of a token: the request that was run and how it stands now."""

    head: Head
    ended: Ended


class Worker:
    """Runs one request at a time."""

    def __init__(
        self,
        queue: RequestQueue,
        registry: Registry,
        objects: Callable[[], Objects],
        views: Callable[[str], TenantViews],
        tokens: WorkTokens,
        clock: Clock,
        lease: timedelta,
        threads: Threads = THREADS,
    ) -> None:
        self._queue = queue
        self._registry = registry
        self._objects = objects
        self._views = views
        self._tokens = tokens
        self._clock = clock
        self._lease = lease
        self._rotation = Rotation()
        self._threads = threads

    def run(self, hint: Wake | None, worker_id: str, limit: timedelta) -> Done | None:
        """Claim the request whose turn it is and run it for at most the limit; None when there is none."""
        until = self._clock.monotonic() + limit.total_seconds() + ENDING_S
        claim = self._queue.claim(hint, worker_id, self._lease, self._rotation)
        if claim is None:
            return None
        self._wake(claim.put_back)
        done = self._run(claim, limit, until)
        # Who found the tenant's slots taken has let its token go: the slot that is free now needs another one.
        self._wake(self._queue.next_of(claim.head.origin.tenant_id) if claim.head.origin else None)
        return done

    def _wake(self, wake: Wake | None) -> None:
        if wake:
            with suppress(Unavailable):  # what was started goes first; the sweeper finds the other
                self._tokens.send([wake], self._clock.now())

    def _run(self, claim: Claim, limit: timedelta, until: float) -> Done:
        with Attempt(self._queue, claim.head, self._lease, self._clock, self._threads) as attempt:
            ended = self._act(claim, attempt, limit)
            try:
                head = self._told(claim, ended, attempt, until)
            except Rejected as exc:
                # The attempt was taken over or the request has ended: this worker's word no longer counts.
                return Done(claim.head, Ended(stopped=True, cause=exc))
        return Done(head, ended)

    def _act(self, claim: Claim, attempt: Attempt, limit: timedelta) -> Ended:
        action: Action | None = None
        try:
            action = self._registry.get(claim.submitted.action)
            payload = action.read(self._payload(claim))
            with self._threads.deadline(min(action.deadline, limit, self._time_left(claim))):
                result = called(action, payload, self._context(claim, attempt))
            return returned(result)
        except (Stopped, Exception) as exc:  # noqa: BLE001 - whatever an action raises ends its attempt, never the worker
            return raised(exc, action, self._clock.now())

    def _time_left(self, claim: Claim) -> timedelta:
        ends_by = claim.head.state.ends_by
        return timedelta.max if ends_by is None else ends_by - self._clock.now()

    def _payload(self, claim: Claim) -> Any:
        submitted = claim.submitted
        if submitted.payload_ref is None:
            return submitted.payload
        return self._objects().load(None, submitted.payload_ref)

    def _context(self, claim: Claim, attempt: Attempt) -> Context:
        origin = claim.head.origin
        tenant_id, user_id = (origin.tenant_id, origin.user_id) if origin else ("", "")
        return Context(
            request_id=claim.head.request_id,
            tenant_id=tenant_id,
            user_id=user_id,
            attempt=attempt.number,
            now=self._clock.now(),
            checkpoint=claim.head.state.checkpoint,
            progress=attempt,
            views=self._views(tenant_id),
            files=WorkFiles(self._objects, tenant_id, user_id, claim.head.request_id, attempt.number),
        )

    def _told(self, claim: Claim, ended: Ended, attempt: Attempt, until: float) -> Head:
        """The head after the attempt's last event, which is tried again while the lease holds.

        Otherwise a moment without the log would cost all that the attempt has done.
        """
        pauses = chain(PAUSES_S, repeat(PAUSES_S[-1]))
        while True:
            try:
                return self._end(claim, ended, attempt)
            except Unavailable:
                pause = next(pauses)
                is_over = self._clock.now() + timedelta(seconds=pause) >= attempt.lease_until
                if is_over or self._clock.monotonic() + pause >= until:
                    raise
                self._threads.event().wait(pause)

    def _end(self, claim: Claim, ended: Ended, attempt: Attempt) -> Head:
        head = attempt.finish()
        if ended.stopped:
            if head.state.cancel_requested:
                return self._queue.acknowledge_cancel(head, attempt.number)
            if ended.reason is not None:
                by = f"action {claim.submitted.action}"  # no user has a name with a space
                return self._queue.acknowledge_cancel(head, attempt.number, by, ended.reason)
            return head
        if ended.error is None:
            return self._queue.complete(head, attempt.number, ended.result)
        return self._queue.fail(
            head,
            attempt.number,
            ended.error,
            retryable=ended.retryable,
            policy=self._registry.retry_policy(claim.submitted.action),
            after=ended.after,
        )
