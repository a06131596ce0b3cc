"""The registry: an action is a plain function with typed input, known by its name.

    @action("echo", mode=Mode.SYNC)
    def echo(payload: EchoInput, context: Context) -> Any: ...

The type of the first parameter is the input's schema: what does not fit it is refused before anything is stored.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib import import_module
from typing import Any, Final

from actions.context import Context
from actions.inputs import Input
from actions.signature import input_of
from domain.commands import DEFAULT_RETRY, RetryPolicy
from domain.errors import DeadlineExceeded, InvalidAction, Unavailable
from domain.validity import LONGEST_ACTION, MOST_ATTEMPTS


class Mode(StrEnum):
    """Sync actions are answered in the reply to their frame; async ones are queued."""

    SYNC = "sync"
    ASYNC = "async"


Run = Callable[[Any, Context], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A registered action and its policy."""

    name: str
    run: Run
    input: Input
    mode: Mode
    deadline: timedelta
    max_attempts: int
    retry: RetryPolicy
    retry_on: tuple[type[Exception], ...] = (Exception,)
    give_up_on: tuple[type[Exception], ...] = ()
    scope: str | None = None

    @property
    def description(self) -> str:
        """What the action does, in the words of its function's docstring; empty when it has none."""
        return inspect.getdoc(self.run) or ""

    def input_schema(self) -> dict[str, Any]:
        """The JSON schema (2020-12) of the payload; an empty one allows anything."""
        return self.input.schema()

    def may_help(self, error: Exception) -> bool:
        """Whether another attempt may help after an error that the action did not tell of itself.

        What failed below it, or took too long, says nothing about the action: it is tried again also when it is not
        among the errors to retry on. What is among those to give up on is never tried again.
        """
        if isinstance(error, self.give_up_on):
            return False
        return isinstance(error, (*self.retry_on, Unavailable, DeadlineExceeded))

    def read(self, payload: Any) -> Any:
        """The payload as the action's input; InvalidFrame names each field that is wrong, never its value."""
        return self.input.read(payload)


class Registry:
    """Actions by name: those that are registered, and the modules that register the others when they are asked for."""

    def __init__(self, actions: Mapping[str, Action], modules: Mapping[str, str] | None = None) -> None:
        self._actions = dict(actions)
        self._modules = {name: module for name, module in (modules or {}).items() if name not in actions}

    def get(self, name: str) -> Action:
        """The action of that name; InvalidAction when there is none."""
        if name not in self._actions and name in self._modules:
            import_module(self._modules[name])
            if name not in _REGISTERED:
                raise LookupError(f"{self._modules[name]} registers no action {name}")
            self._actions[name] = _REGISTERED[name]
        if name not in self._actions:
            raise InvalidAction(f"unknown action; known are {', '.join(self.names())}")
        return self._actions[name]

    def retry_policy(self, name: str) -> RetryPolicy:
        """The retry policy of an action; the default one where this deployment has no such action or cannot load it."""
        try:
            return self.get(name).retry
        except Exception:  # noqa: BLE001 - a module may raise anything, and whoever runs the action is told
            return DEFAULT_RETRY

    def names(self) -> list[str]:
        """The names of all actions, in order."""
        return sorted(self._actions.keys() | self._modules.keys())


LONGEST_SYNC: Final = timedelta(seconds=20)  # within the time of the function that answers frames
_LONGEST: Final = timedelta(minutes=14)
_DEADLINES: Final = {Mode.SYNC: timedelta(seconds=10), Mode.ASYNC: _LONGEST}
_NAME: Final = re.compile(rf"[ -~]{{1,{LONGEST_ACTION}}}")
_REGISTERED: Final[dict[str, Action]] = {}


def action(
    name: str,
    *,
    mode: Mode = Mode.ASYNC,
    deadline: timedelta | None = None,
    max_attempts: int = 3,
    retry: RetryPolicy = DEFAULT_RETRY,
    retry_on: tuple[type[Exception], ...] = (Exception,),
    give_up_on: tuple[type[Exception], ...] = (),
    scope: str | None = None,
) -> Callable[[Run], Run]:
    """Register the decorated function under a name.

    deadline      how long one attempt may take; 10 s for sync and 14 min for async actions unless told
    max_attempts  how often it is tried, unless a request says otherwise
    retry         how long to wait between attempts
    retry_on      errors that another attempt may help against, unless told every one; see `Action.may_help`
    give_up_on    those among them that no attempt helps against
    scope         what a caller needs to submit it

    Errors: TypeError, ValueError when there could be no such action, or there is another one of that name.
    """

    def register(run: Run) -> Run:
        made = Action(
            name=name,
            run=run,
            input=Input(input_of(name, run)),
            mode=mode,
            deadline=_DEADLINES.get(mode, _LONGEST) if deadline is None else deadline,
            max_attempts=max_attempts,
            retry=retry,
            retry_on=retry_on,
            give_up_on=give_up_on,
            scope=scope,
        )
        _require_usable(made)
        _REGISTERED[name] = made
        return run

    return register


def _require_usable(made: Action) -> None:
    """TypeError or ValueError for what would be found out by those who submit the action, and told to them."""
    for told, right in (
        ("mode: Mode.SYNC or Mode.ASYNC", isinstance(made.mode, Mode)),
        ("deadline: a timedelta", isinstance(made.deadline, timedelta)),
        ("max_attempts: an integer", type(made.max_attempts) is int),
        ("retry: a RetryPolicy", isinstance(made.retry, RetryPolicy)),
        ("retry_on: a tuple of types of Exception", _are_errors(made.retry_on)),
        ("give_up_on: a tuple of types of Exception", _are_errors(made.give_up_on)),
        ("scope: a text", made.scope is None or isinstance(made.scope, str)),
    ):
        if not right:
            raise TypeError(f"action {made.name}: {told}")
    longest = LONGEST_SYNC if made.mode is Mode.SYNC else timedelta.max
    there = _REGISTERED.get(made.name)
    for told, right in (
        (f"1-{LONGEST_ACTION} printable ASCII characters", _NAME.fullmatch(made.name) is not None),
        (f"deadline: above 0, of a synchronous action up to {LONGEST_SYNC}", timedelta(0) < made.deadline <= longest),
        (f"max_attempts: from 1 to {MOST_ATTEMPTS}", 1 <= made.max_attempts <= MOST_ATTEMPTS),
        ("registered before, by another function", there is None or _place(there) == _place(made)),
    ):
        if not right:
            raise ValueError(f"action {made.name!r}: {told}")


def _are_errors(kinds: Any) -> bool:
    return isinstance(kinds, tuple) and all(isinstance(one, type) and issubclass(one, Exception) for one in kinds)


def _place(made: Action) -> str:
    """Where the action's function is written; a function in a function, as tests have them, is nowhere."""
    place = f"{made.run.__module__}.{made.run.__qualname__}"
    return "" if "<locals>" in place else place


def registered(modules: Mapping[str, str] | None = None) -> Registry:
    """Every action that was registered so far, and those that modules will register."""
    return Registry(_REGISTERED, modules)
