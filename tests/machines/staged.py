"""What the machines have in common: one engine for all examples of a test, pages of two, faults, and guards taken away.

A twin is the same machine with one guard removed from the calls that reach DynamoDB, or with a class that lacks it; the
machine must see that, or it could not see anything.
"""

import itertools
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import ExitStack
from typing import Any, ClassVar, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.kit.calls import Call, Fault, Make, answer_lost, nth, refused, sent_twice, watched
from tests.kit.tables import Aws

NUMBERS: Final = itertools.count(1)
PAGE: Final = 2
MACHINE: Final = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# A twin has to fall, not to be explained.
TWIN: Final = settings(MACHINE, max_examples=60, phases=[Phase.generate], report_multiple_bugs=False)
FAULTS: Final[Mapping[str, Fault | None]] = {
    "none": None,
    "refused": refused,
    "answer lost": answer_lost,
    "sent twice": sent_twice,
}
faults = st.sampled_from(["none", *FAULTS])  # every other call goes well

Guard = tuple[str, str]  # the operation, and the expression that is left out


class Staged(RuleBasedStateMachine):
    """A machine on the stack of its test."""

    aws: ClassVar[Aws]
    removed: ClassVar[Guard | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.name = f"n{next(NUMBERS)}"
        self.open = ExitStack()
        self.open.enter_context(watched(_small_page, lambda call: call.operation in ("Query", "Scan")))
        if self.removed:
            operation, expression = self.removed
            self.open.enter_context(watched(_without(expression), lambda call: call.operation == operation))

    def teardown(self) -> None:
        """Let the calls be as they were."""
        self.open.close()

    def spoil(self, operation: str, fault: str, number: int = 0) -> ExitStack:
        """Within this, a fault strikes the number-th call of an operation."""
        stack = ExitStack()
        if FAULTS[fault] is not None:
            stack.enter_context(watched(FAULTS[fault], nth(operation, number)))
        return stack


def run(machine: type[Staged], aws: Aws, how: settings = MACHINE) -> None:
    """Let a machine run on a stack."""
    machine.aws = aws
    run_state_machine_as_test(machine, settings=how)


def _small_page(call: Call, make: Make) -> Any:
    """The service gives pages of two."""
    arguments = _changeable(call)
    arguments["Limit"] = min(PAGE, arguments.get("Limit", PAGE))
    return make()


def _without(expression: str) -> Callable[[Call, Make], Any]:
    def fault(call: Call, make: Make) -> Any:
        arguments = _changeable(call)
        arguments.pop(expression, None)
        arguments.pop("ReturnValuesOnConditionCheckFailure", None)
        used = " ".join(str(value) for name, value in arguments.items() if name.endswith("Expression")).split()
        words = {word.strip("(),") for word in used}
        values = arguments.pop("ExpressionAttributeValues", {})
        kept = {name: value for name, value in values.items() if name in words}
        return _made(arguments, kept, make)

    return fault


def _made(arguments: MutableMapping[str, Any], values: Mapping[str, Any], make: Make) -> Any:
    if values:
        arguments["ExpressionAttributeValues"] = values
    return make()


def _changeable(call: Call) -> MutableMapping[str, Any]:
    """The arguments themselves: what is changed in them reaches the service."""
    assert isinstance(call.arguments, dict)
    return call.arguments
