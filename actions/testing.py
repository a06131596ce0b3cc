"""Running an action without AWS: a progress that remembers, files and views in memory.

    ran = run("delay", {"seconds": 1, "steps": 2})
    assert ran.progress.percents == [50, 100]

The payload goes in and the result comes out as JSON would carry them, so a test sees what a client would.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from actions.catalog import catalog
from actions.context import Context
from actions.outcomes import Permanent, Stopped
from domain.exact_json import decode, encode
from domain.instant import from_text

NOW: Final = datetime(2026, 11, 22, 8, 24, 41, tzinfo=UTC)


@dataclass(slots=True)
class RecordingProgress:
    """Remembers what was told, waits for nothing, and stops the action once it has been told `stop_after` times."""

    stop_after: int | None = None
    reports: list[tuple[float, str | None, Mapping[str, Any] | None]] = field(default_factory=list)
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
        self._stop_when_told()
        self.reports.append((percent, message, decode(encode(details))))

    def output(self, chunk: Any) -> None:
        """Remember the chunk."""
        self._stop_when_told()
        self.outputs.append(decode(encode(chunk)))

    def wait(self, seconds: float) -> None:
        """Remember how long it would have taken."""
        self._stop_when_told()
        self.waited_s += seconds

    def _stop_when_told(self) -> None:
        if self.stop_after is not None and len(self.reports) + len(self.outputs) >= self.stop_after:
            raise Stopped


@dataclass(slots=True)
class MemoryFiles:
    """The bucket as a dictionary: contents and content types by key."""

    contents: dict[str, bytes] = field(default_factory=dict)
    content_types: dict[str, str] = field(default_factory=dict)

    def read(self, key: str) -> bytes:
        """The content of a file; Permanent when there is none."""
        if key not in self.contents:
            raise Permanent(f"There is no file {key!r}")
        return self.contents[key]

    def write(self, name: str, content: bytes, content_type: str) -> str:
        """Store the file under a key made from its name."""
        key = f"results/{name}"
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


@dataclass(frozen=True, slots=True)
class Ran:
    """An attempt that returned: its result, what it told, what it wrote."""

    result: Any
    progress: RecordingProgress
    files: MemoryFiles


def run(
    name: str,
    payload: Any = None,
    *,
    files: MemoryFiles | None = None,
    views: MemoryViews | None = None,
    progress: RecordingProgress | None = None,
    attempt: int = 1,
    now: datetime = NOW,
) -> Ran:
    """Run the action of that name once; what it raises passes through, InvalidFrame when the payload does not fit."""
    action = catalog().get(name)
    files, progress = files or MemoryFiles(), progress or RecordingProgress()
    context = Context(
        request_id="req_test",
        tenant_id="tenant",
        user_id="user",
        attempt=attempt,
        now=now,
        progress=progress,
        views=views or MemoryViews(),
        files=files,
    )
    result = action.run(action.read(decode(encode(payload))), context)
    return Ran(decode(encode(result)), progress, files)
