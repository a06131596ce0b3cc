"""The cursor: how far the views of a request have come, as its row in the requests view tells."""

from typing import Final

from msgspec import Struct

from domain.state import Status


class Cursor(Struct, frozen=True):
    """The version that the views have reached, the status there, and the version of the newest event that counts."""

    version: int = 0
    status: Status | None = None
    counted: int = 0


NOWHERE: Final = Cursor()
