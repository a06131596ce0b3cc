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

        Raises Stopped when the request was cancelled or taken over: let it pass through.
        """

    def output(self, chunk: Any) -> None:
        """Hand a part of the result, or a log line, to the watchers; none is lost or merged. Raises Stopped."""

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
        """Store a file of this request and give its key; writing the same name again replaces it."""

    def link(self, key: str) -> str:
        """An https link to a file that needs no credentials and works for an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One attempt at one request."""

    request_id: str
    tenant_id: str
    user_id: str
    attempt: int
    now: datetime
    progress: Progress
    views: TenantViews
    files: Files
