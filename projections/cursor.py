"""The cursor: how far the views of a request have come, as its row in the requests view tells."""

from dataclasses import dataclass
from typing import Final

from domain.state import Status


@dataclass(frozen=True, slots=True)
class Cursor:
    """The version that the views have reached, the status there, and the version of the newest event that counts."""

    version: int = 0
    status: Status | None = None
    counted: int = 0


NOWHERE: Final = Cursor()
