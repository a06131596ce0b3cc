"""The life of a request as a picture: Mermaid text drawn from the transition table, so that the two cannot differ."""

from typing import Final

from domain.request import TRANSITIONS
from domain.state import FINAL, Status

_ENDS: Final = "[*]"


def diagram() -> str:
    """The state diagram in the README: one line a status, event and next status, whatever the command."""
    moves = dict.fromkeys((row.status, row.event.__name__, row.next) for row in TRANSITIONS)
    drawn = [f"{status or _ENDS} --> {following}: {event}" for status, event, following in moves]
    ended = [f"{status} --> {_ENDS}" for status in Status if status in FINAL]
    return "\n    ".join(["stateDiagram-v2", *drawn, *ended])
