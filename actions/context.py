"""What an action gets to work with: who asked, how to report, and the few doors to the outside.

The doors are protocols, so an action can be tested with plain objects and never sees AWS.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol


class Progress(Protocol):
    """How a running action tells its watchers how far it is."""

    def report(self, percent: float, message: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        """Tell how far the work is, 0-100; reports that come too fast are merged, the newest wins.

        Raises Cancelled or TakenOver, both Stopped, when nobody wants this attempt any more: let it pass through.
        """

    def checkpoint(self, value: Any) -> None:
        """Save up to 512 bytes of JSON for the next attempt, which finds the newest in its context. Raises Stopped.

        It is merged like a report, but the newest is written before the attempt ends, however it ends; only a worker
        that is killed may lose what it saved in its last moment.
        """

    def output(self, chunk: Any) -> None:
        """Hand a part of the result, or a log line, to the watchers, in order; none is lost or merged. Raises Stopped.

        A chunk has at most 16 KiB of JSON.
        """

    def wait(self, seconds: float) -> None:
        """Let time pass without work, staying cancellable. Raises Stopped."""


class TenantViews(Protocol):
    """The views of the caller's own tenant."""

    def metrics(self, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
        """The rows of counts by the minute from start until before end: {at, submitted, completed, failed, …}."""

    def audit(self, day: date) -> Iterator[Mapping[str, Any]]:
        """The audit entries of a UTC day in order: {at, type, request_id?, user_id, action?, …}."""


class Files(Protocol):
    """The bucket, within the folder of the user who submitted the request."""

    def read(self, key: str) -> bytes:
        """The content of a file; Permanent when there is none."""

    def write(self, name: str, content: bytes, content_type: str) -> str:
        """Store a file of this attempt and give its key; writing the same name again replaces it.

        Another attempt's file of that name is another file: keep its key in the checkpoint to read it again.
        """

    def link(self, key: str) -> str:
        """An https link to a file that needs no credentials and works for an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One attempt at one request; the checkpoint is the newest that an attempt before it saved, None if none did."""

    request_id: str
    tenant_id: str
    user_id: str
    attempt: int
    now: datetime
    checkpoint: Any = None
    progress: Progress
    views: TenantViews
    files: Files
