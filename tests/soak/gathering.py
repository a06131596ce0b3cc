"""What the judge is given of a stack: its logs, the order of the appends, and where its views differ from them."""

from adapters.stream_records import event_of
from domain.recorded import RecordedEvent
from local.stack import Stack
from tests.kit.stacks import aws_of
from tests.kit.streams import StreamReader
from tests.kit.views import differences, logs


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
        return differences(self._aws)
