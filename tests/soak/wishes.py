"""What a user of the soak may want: all kinds of work, drawn from a seeded random."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a user asks for, and what they do about it."""

    action: str
    payload: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    cancel_after_s: float | None = None
    is_repeated: bool = False


def _large(random: Random) -> tuple[str, Any]:
    return "echo_async", {"text": "x" * random.randint(20_000, 60_000)}


# How often each kind is wanted, and the action and payload that it comes to.
_KINDS: Final[Mapping[Callable[[Random], tuple[str, Any]], int]] = {
    lambda random: ("echo_async", random.randrange(1000)): 8,
    _large: 1,
    lambda random: ("delay", {"seconds": random.uniform(0, 1.5), "steps": random.randint(1, 12)}): 5,
    lambda random: ("delay", {"seconds": random.uniform(6, 9), "steps": random.randint(1, 20)}): 2,  # past the lease
    lambda random: ("delay", {"seconds": 0.2, "steps": 2, "fail_attempts": random.randint(1, 2)}): 2,
    lambda _: ("delay", {"seconds": 0.2, "fail_attempts": 1, "fail_permanently": True}): 1,
    lambda random: ("process_data", _table(random)): 3,
}


def wish(random: Random) -> Wish:
    """What a user wants next."""
    options: dict[str, Any] = {"priority": random.randrange(10)}
    if random.random() < 0.15:
        options["delay_s"] = random.randint(1, 5)
    (kind,) = random.choices([*_KINDS], [*_KINDS.values()])
    action, payload = kind(random)
    return Wish(
        action=action,
        payload=payload,
        options=options,
        cancel_after_s=random.uniform(0, 6) if random.random() < 0.15 else None,
        is_repeated=random.random() < 0.1,
    )


def large(random: Random) -> Wish:
    """A wish that is too large for an event."""
    action, payload = _large(random)
    return Wish(action=action, payload=payload)


def _table(random: Random) -> Any:
    rows = [f"{random.choice('abc')},{random.randrange(100)}" for _ in range(random.randint(1, 3000))]
    measures = [{"function": "sum", "column": "n"}]
    return {
        "csv": "\n".join(["kind,n", *rows]),
        "operations": [{"op": "aggregate", "by": ["kind"], "measures": measures}],
    }
