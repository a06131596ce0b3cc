"""The files of one attempt: what an action reads and writes in the bucket, kept within its user's own folder.

Each attempt writes under its number: one that was taken over and does not know it cannot replace what the next wrote.
"""

from collections.abc import Callable
from typing import Final

from actions.outcomes import Permanent
from adapters.objects import Objects, folder
from domain.errors import NotFound

_PARENT: Final = ".."


class WorkFiles:
    """The bucket, within a user's folder; the bucket's client is made only when an action touches a file."""

    def __init__(
        self, objects: Callable[[], Objects], tenant_id: str, user_id: str, request_id: str, attempt: int
    ) -> None:
        self._objects = objects
        self._folder = folder(tenant_id, user_id)
        self._written = f"{self._folder}{request_id}/{attempt}/"

    def read(self, key: str) -> bytes:
        """The content of a file of the user; Permanent when there is none."""
        try:
            return self._objects().read(self._own(key))
        except NotFound as exc:
            raise Permanent(f"There is no file {key!r}") from exc

    def write(self, name: str, content: bytes, content_type: str) -> str:
        """Store a file of this attempt and give its key."""
        key = self._own(f"{self._written}{name}")
        self._objects().write(key, content, content_type)
        return key

    def link(self, key: str) -> str:
        """A link to a file of the user that works for an hour."""
        return self._objects().link(self._own(key))

    def _own(self, key: str) -> str:
        if not key.startswith(self._folder) or _PARENT in key.split("/"):
            raise Permanent(f"There is no file {key!r}")
        return key
