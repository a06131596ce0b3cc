"""What stands in for the world around an action in tests: a progress that remembers, files and views in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from actions.limits import CHUNK_LIMIT, settled, settled_checkpoint, settled_details
from actions.outcomes import Cancelled, Permanent, Stopped
from domain.instant import from_text


class Overrun(BaseException):
    """More time was waited than the attempt has; no Exception, so that an action cannot handle it, as in the worker."""


@dataclass(slots=True)
class RecordingProgress:
    """Remembers what was told, waits for nothing, and stops the action once it has been told `stop_after` times.

    `why` is what stops it: Cancelled, or TakenOver for a worker that was lost. Waiting for longer than `deadline` is
    an Overrun. What is too large, or no JSON, is refused as the worker refuses it.
    """

    stop_after: int | None = None
    why: type[Stopped] = Cancelled
    deadline: timedelta | None = None
    reports: list[tuple[float, str | None, Mapping[str, Any] | None]] = field(default_factory=list)
    checkpoints: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    waited_s: float = 0

    @property
    def percents(self) -> list[float]:
        """How far the action said it was, in order."""
        return [percent for percent, _, _ in self.reports]

    @property
    def messages(self) -> list[str]:
        """What the action said in words, in order."""
        return [message for _, message, _ in self.reports if message is not None]

    def report(self, percent: float, message: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        """Remember the report, which has to be one that the domain would take."""
        if not 0 <= percent <= 100:  # noqa: PLR2004 - it is a percentage
            raise ValueError(f"{percent} is no percentage")
        told = settled_details(details)
        self._stop_when_told()
        self.reports.append((percent, message, told))

    def checkpoint(self, value: Any) -> None:
        """Remember the checkpoint."""
        saved = settled_checkpoint(value)
        self._stop_when_told()
        self.checkpoints.append(saved)

    def output(self, chunk: Any) -> None:
        """Remember the chunk."""
        part = settled("an output", chunk, CHUNK_LIMIT)
        self._stop_when_told()
        self.outputs.append(part)

    def wait(self, seconds: float) -> None:
        """Remember how long it would have taken."""
        self._stop_when_told()
        self.waited_s += seconds
        if self.deadline is not None and self.waited_s > self.deadline.total_seconds():
            raise Overrun

    def _stop_when_told(self) -> None:
        if self.stop_after is not None and len(self.reports) + len(self.checkpoints) + len(self.outputs) >= (
            self.stop_after
        ):
            raise self.why("told to stop")


@dataclass(slots=True)
class MemoryFiles:
    """The bucket as a dictionary: contents and content types by key; and which were read, in order."""

    contents: dict[str, bytes] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    attempt: int = 1
    content_types: dict[str, str] = field(default_factory=dict)

    def read(self, key: str) -> bytes:
        """The content of a file; Permanent when there is none."""
        if key not in self.contents:
            raise Permanent(f"There is no file {key!r}")
        self.reads.append(key)
        return self.contents[key]

    def write(self, name: str, content: bytes, content_type: str) -> str:
        """Store the file under a key made from the attempt and its name."""
        key = f"results/{self.attempt}/{name}"
        self.contents[key] = content
        self.content_types[key] = content_type
        return key

    def link(self, key: str) -> str:
        """A link that shows its key and works nowhere."""
        return f"https://files.example/{key}"


@dataclass(slots=True)
class MemoryViews:
    """The tenant's views as two lists, each in order of `at`."""

    metric_rows: Sequence[Mapping[str, Any]] = ()
    audit_entries: Sequence[Mapping[str, Any]] = ()

    def metrics(self, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
        """The rows from start until before end."""
        return (row for row in self.metric_rows if start <= from_text(row["at"]) < end)

    def audit(self, day: date) -> Iterator[Mapping[str, Any]]:
        """The entries of the day."""
        return (entry for entry in self.audit_entries if from_text(entry["at"]).date() == day)
