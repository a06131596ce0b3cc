"""The quarantine: stream records that no code can read, kept whole so that they can be looked at and redriven.

It is in the failures bucket, beside the batches that Lambda has given up.
"""

from typing import Any, Final

from adapters.objects import Objects
from adapters.stream_records import Record, sequence_number, table_of
from domain import exact_json
from domain.errors import Undecodable

PREFIX: Final = "quarantine"


class Quarantine:
    """Where unreadable records go."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def kept(self) -> int:
        """How many records and batches the bucket has, of up to 1,000."""
        return self._objects.count()

    def keep(self, record: Record, reason: Undecodable) -> None:
        """Store a record under its sequence number; keeping it again changes nothing."""
        content: dict[str, Any] = {"reason": str(reason), "record": record}
        key = f"{PREFIX}/{table_of(record)}/{sequence_number(record) or record.get('eventID')}.json"
        self._objects.write(key, exact_json.encode(content).encode(), "application/json")
