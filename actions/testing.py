"""Running an action without AWS: one attempt, or all that the policy gives it, in no real time.

    ran = run("delay", {"seconds": 1, "steps": 2})
    assert ran.progress.percents == [50, 100]

    lived = run_until_done("delay", {"fail_attempts": 1})
    assert (lived.status, lived.attempts) == ("COMPLETED", 2)

The payload goes in and the result comes out as JSON would carry them, so a test sees what a client would. Attempts
follow each other by the rules of the domain itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from actions.catalog import catalog
from actions.context import Context
from actions.doubles import MemoryFiles, MemoryViews, Overrun, RecordingProgress
from actions.ending import Ended, called, raised, returned
from actions.outcomes import Stopped, TakenOver
from actions.registry import Action
from domain.commands import (
    AcknowledgeCancel,
    Cancel,
    Command,
    Complete,
    ExpireLease,
    FailAttempt,
    ReportProgress,
    Start,
    Submit,
)
from domain.errors import DeadlineExceeded
from domain.events import Failure, RequestCompleted
from domain.exact_json import decode, encode
from domain.request import decide, evolve
from domain.state import INITIAL, RequestState, Status

__all__ = ["NOW", "Lived", "MemoryFiles", "MemoryViews", "Ran", "RecordingProgress", "run", "run_until_done"]

NOW: Final = datetime(2026, 11, 22, 8, 24, 41, tzinfo=UTC)
_LEASE: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Ran:
    """An attempt that returned: its result, what it told, what it wrote."""

    result: Any
    progress: RecordingProgress
    files: MemoryFiles


def run(
    name: str,
    payload: Any = None,
    *,
    files: MemoryFiles | None = None,
    views: MemoryViews | None = None,
    progress: RecordingProgress | None = None,
    attempt: int = 1,
    checkpoint: Any = None,
    now: datetime = NOW,
) -> Ran:
    """Run the action of that name once, from a checkpoint if there is one; what it raises passes through.

    Errors: InvalidFrame when the payload does not fit, DeadlineExceeded when it waits for longer than it may.
    """
    action = catalog().get(name)
    files, progress = files or MemoryFiles(), progress or RecordingProgress()
    files.attempt = attempt
    progress.deadline = progress.deadline or action.deadline
    context = Context(
        request_id="req_test",
        tenant_id="tenant",
        user_id="user",
        attempt=attempt,
        now=now,
        checkpoint=None if checkpoint is None else decode(encode(checkpoint)),
        progress=progress,
        views=views or MemoryViews(),
        files=files,
    )
    try:
        result = called(action, action.read(decode(encode(payload))), context)
    except Overrun as exc:
        raise DeadlineExceeded(f"no answer within {action.deadline.total_seconds():g} s") from exc
    return Ran(decode(encode(returned(result).result)), progress, files)


@dataclass(slots=True)
class Lived:
    """A request from its submission to its end: how it stands, and each attempt's progress and wait for the next."""

    name: str
    now: datetime
    files: MemoryFiles
    state: RequestState = INITIAL
    result: Any = None
    progress: list[RecordingProgress] = field(default_factory=list)
    waits: list[timedelta] = field(default_factory=list)
    causes: list[BaseException] = field(default_factory=list)

    @property
    def status(self) -> Status | None:
        """Where the request is in its life."""
        return self.state.status

    @property
    def error(self) -> Failure | None:
        """Why it failed, as its user is told."""
        return self.state.error

    @property
    def attempts(self) -> int:
        """How many there were."""
        return self.state.attempt

    def tell(self, command: Command) -> None:
        """Carry out a command by the rules of a request."""
        for event in decide(command, self.state):
            self.state = evolve(self.state, event, command.now)
            if isinstance(event, RequestCompleted):
                self.result = event.result


def run_until_done(
    name: str,
    payload: Any = None,
    *,
    files: MemoryFiles | None = None,
    views: MemoryViews | None = None,
    max_attempts: int | None = None,
    progress: Mapping[int, RecordingProgress] | None = None,
    now: datetime = NOW,
) -> Lived:
    """Run the action as often as its policy says, each attempt from the checkpoint of the one before.

    `progress` has that of some attempts, by their numbers: one with `stop_after` cancels the request there, or with
    `why=TakenOver` loses the worker there. Waits are the longest that the policy allows.
    """
    action = catalog().get(name)
    lived = Lived(name, now, files or MemoryFiles())
    attempts = max_attempts or action.max_attempts
    lived.tell(Submit(now=now, action=name, digest="", max_attempts=attempts))
    while not lived.state.is_final:
        lived.now = max(lived.now, lived.state.due_at)
        _live_attempt(lived, action, payload, views, (progress or {}).get(lived.attempts + 1) or RecordingProgress())
        if lived.status is Status.RETRYING:
            lived.waits.append(lived.state.due_at - lived.now)
    return lived


def _live_attempt(
    lived: Lived, action: Action, payload: Any, views: MemoryViews | None, progress: RecordingProgress
) -> None:
    number, checkpoint = lived.attempts + 1, lived.state.checkpoint
    lived.tell(Start(now=lived.now, worker_id=f"worker-{number}", lease_until=lived.now + _LEASE))
    lived.progress.append(progress)
    ended = _ended(lived, action, payload, views, progress, number, checkpoint)
    lived.now += timedelta(seconds=progress.waited_s)
    saved = progress.checkpoints[-1] if progress.checkpoints else None
    percent = max(progress.percents, default=0.0)
    lived.tell(ReportProgress(now=lived.now, attempt=number, percent=percent, checkpoint=saved))
    _end(lived, action, ended, number, lost=progress.why is TakenOver)


def _ended(
    lived: Lived,
    action: Action,
    payload: Any,
    views: MemoryViews | None,
    progress: RecordingProgress,
    number: int,
    checkpoint: Any,
) -> Ended:
    try:
        ran = run(
            action.name,
            payload,
            files=lived.files,
            views=views,
            progress=progress,
            attempt=number,
            checkpoint=checkpoint,
            now=lived.now,
        )
    except (Stopped, Exception) as exc:  # noqa: BLE001 - whatever an action raises ends its attempt, as in the worker
        ended = raised(exc, action, lived.now)
        lived.causes += [ended.cause] if ended.cause else []
        return ended
    return Ended(result=ran.result)


def _end(lived: Lived, action: Action, ended: Ended, number: int, *, lost: bool) -> None:
    if ended.stopped and lost:
        lived.now += _LEASE
        lived.tell(ExpireLease(now=lived.now, jitter=1, policy=action.retry))
    elif ended.stopped:
        lived.tell(Cancel(now=lived.now, by="user", reason=ended.reason))
        lived.tell(AcknowledgeCancel(now=lived.now, attempt=number))
    elif ended.error is None:
        lived.tell(Complete(now=lived.now, attempt=number, result=ended.result))
    else:
        lived.tell(
            FailAttempt(
                now=lived.now,
                attempt=number,
                error=ended.error,
                retryable=ended.retryable,
                jitter=1,
                policy=action.retry,
                after=ended.after,
            )
        )
