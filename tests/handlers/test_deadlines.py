"""A sync action that hangs is answered in time, and its alarm rings for nobody else."""

import signal
import threading
from datetime import timedelta
from typing import Any

import pytest

from actions.context import Context
from actions.inputs import Input
from actions.outcomes import Permanent, Retry
from actions.registry import Action, Mode, Registry, Run
from adapters.deadline import deadline
from domain.commands import DEFAULT_RETRY
from domain.errors import DeadlineExceeded
from handlers import bootstrap
from tests.handlers.conftest import MARKER, Client, Connect

FOREVER = threading.Event()


@pytest.fixture
def ann(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of a stack with actions that misbehave."""
    registry = Registry({name: sync(name, run) for name, run in ACTIONS.items()})
    monkeypatch.setattr(bootstrap, "registry", lambda: registry)
    return connect()


def sync(name: str, run: Run) -> Action:
    return Action(
        name=name,
        run=run,
        input=Input(Any),
        mode=Mode.SYNC,
        deadline=timedelta(milliseconds=20),
        max_attempts=1,
        retry=DEFAULT_RETRY,
        scope="tenant:read" if name == "scoped" else None,
    )


def hang(*_: object) -> None:
    FOREVER.wait()


def spin(*_: object) -> None:
    while True:
        pass


def fail(payload: Any, _: Context) -> None:
    raise Permanent(f"no {payload}")


def later(*_: object) -> None:
    raise Retry("busy")


def crash(*_: object) -> None:
    raise ZeroDivisionError


def leave(*_: object) -> None:
    raise SystemExit(1)


def waits(_: Any, context: Context) -> None:
    context.progress.report(5)
    context.progress.output("nobody hears it")
    context.progress.wait(1)


def unspeakable(*_: object) -> object:
    return object()


ACTIONS: dict[str, Run] = {
    "hang": hang,
    "spin": spin,
    "fail": fail,
    "later": later,
    "crash": crash,
    "leave": leave,
    "waits": waits,
    "unspeakable": unspeakable,
    "scoped": lambda payload, _: payload,
}


def silent() -> bool:
    """Whether no alarm is set and none is ours."""
    return signal.getitimer(signal.ITIMER_REAL) == (0, 0) and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


@pytest.mark.parametrize("action", ["hang", "spin"])
def test_an_action_that_does_not_end_is_answered_and_its_alarm_is_cleared(ann: Client, action: str) -> None:
    answer = ann.say("submit", action=action, payload=MARKER)
    assert (answer["type"], answer["code"]) == ("error", "TIMEOUT")
    assert silent()
    assert ann.say("ping")["type"] == "pong"


def test_an_alarm_is_cleared_however_the_action_ends(ann: Client) -> None:
    assert ann.say("submit", action="scoped")["code"] == "FORBIDDEN"
    failed = ann.say("submit", action="fail", payload="such thing")
    assert (failed["code"], failed["message"]) == ("VALIDATION_ERROR", "no such thing")
    assert ann.say("submit", action="later")["code"] == "VALIDATION_ERROR"
    assert ann.say("submit", action="waits")["code"] == "VALIDATION_ERROR"
    assert ann.say("submit", action="crash")["code"] == "INTERNAL_ERROR"
    assert ann.say("submit", action="leave")["code"] == "INTERNAL_ERROR"
    assert ann.say("submit", action="unspeakable")["type"] == "error"
    assert silent()


def test_a_deadline_that_is_kept_leaves_no_alarm() -> None:
    with deadline(timedelta(seconds=60)):
        assert not silent()
    assert silent()


def test_a_deadline_that_is_over_already_rings_at_once() -> None:
    with pytest.raises(DeadlineExceeded), deadline(timedelta(seconds=-1)):
        FOREVER.wait()
    assert silent()


def test_an_alarm_that_goes_off_when_the_block_has_just_ended_is_a_deadline_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_alarm = signal.setitimer

    def too_late(which: int, seconds: float) -> tuple[float, float]:
        if not seconds:
            signal.raise_signal(signal.SIGALRM)
        return set_alarm(which, seconds)

    monkeypatch.setattr(signal, "setitimer", too_late)
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(DeadlineExceeded), deadline(timedelta(minutes=1)):
        pass
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_deadline_needs_the_main_thread_and_says_so() -> None:
    told: list[str] = []

    def run() -> None:
        try:
            with deadline(timedelta(seconds=1)):
                told.append("it ran")
        except RuntimeError as exc:
            told.append(str(exc))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert told == ["a deadline needs the main thread"]
