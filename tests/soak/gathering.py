"""What the judge is given of a stack: its logs, the order of the appends, and where its views differ from them."""

from typing import Any, Final

from adapters.stream_records import event_of
from domain.recorded import RecordedEvent
from local.stack import Stack
from tests.kit.stacks import aws_of
from tests.kit.streams import StreamReader
from tests.kit.tables import Aws
from tests.kit.views import PRESENCE, differences, logs

_NOT_COUNTED: Final = frozenset({"scope", "minute", "expires_at"})


class Observed:
    """A stack, read from outside."""

    def __init__(self, stack: Stack) -> None:
        self._aws = aws_of(stack)

    def logs(self) -> dict[str, list[RecordedEvent]]:
        """The log of every request, as the table has it."""
        return logs(self._aws)

    def order(self) -> list[RecordedEvent]:
        """Every event in the order in which they were appended, as the stream has it."""
        reader = StreamReader(self._aws.streams, self._aws.tables["Events"])
        return [event_of(record) for record in reader.read()]

    def differences(self) -> list[str]:
        """Where the views are not what the log leads to."""
        return differences(_OfRequests(self._aws))  # type: ignore[arg-type]  # what of it is used is there


class _OfRequests:
    """Tables whose metrics count requests only: who came and went is in no request's log."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self.environment = aws.environment

    def rows(self, table: str) -> list[dict[str, Any]]:
        rows = self._aws.rows(table)
        if table != "Metrics":
            return rows
        rows = [{name: value for name, value in row.items() if name not in PRESENCE} for row in rows]
        return [row for row in rows if row.keys() - _NOT_COUNTED]
