"""The intents' vocabulary: what a projection wants done, as values. Adapters carry them out."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from projections.turns import Turn

Key = Mapping[str, str]
Attribute = str | int | None


class View(StrEnum):
    """The tables that projections keep."""

    REQUESTS = "Requests"
    AUDIT = "Audit"
    METRICS = "Metrics"


class Put(Struct, frozen=True):
    """Set attributes of a row; those that are None are removed, those not named stay.

    With `after`, only if the row's version is `after` (0: there is no row yet), so that a second delivery changes
    nothing. Without it the write is an idempotent overwrite.
    """

    view: View
    key: Key
    attributes: Mapping[str, Attribute]
    after: int | None = None


class Once(Struct, frozen=True):
    """Write a row that must not be there yet: the marker that makes the rest of its transaction happen once."""

    view: View
    key: Key
    attributes: Mapping[str, Attribute]


class Add(Struct, frozen=True):
    """Add to a row's counts. Only ever in one transaction with what guards it."""

    view: View
    key: Key
    counts: Mapping[str, int]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


class Sums:
    """Additions, summed up by row: a transaction may touch a row only once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], tuple[Add, Counter[str]]] = {}

    def take(self, adds: Iterable[Add]) -> None:
        """Count these as well."""
        for intent in adds:
            _, sums = self._rows.setdefault(_place(intent), (intent, Counter()))
            sums.update(intent.counts)

    def rows_with(self, adds: Iterable[Add]) -> int:
        """How many rows there would be at most with these as well."""
        return len(self._rows.keys() | {_place(intent) for intent in adds})

    def intents(self) -> list[Add]:
        """One intent a row; what adds nothing is gone."""
        rows = [(row, {name: count for name, count in sums.items() if count}) for row, sums in self._rows.values()]
        return [replace(row, counts=counts) for row, counts in rows if counts]


def merged(adds: Iterable[Add]) -> list[Add]:
    """The same additions, one intent a row."""
    sums = Sums()
    sums.take(adds)
    return sums.intents()


def _place(intent: Add) -> tuple[str, ...]:
    return (intent.view, *intent.key.values())


class Wake(Struct, frozen=True):
    """Put a work token on the queue: this request is runnable when its turn is due."""

    request_id: str
    turn: Turn


class RemoveSubscriptions(Struct, frozen=True):
    """Remove every subscription of a connection that is gone."""

    connection_id: str


Span = tuple[str, int, int]  # a request, and the first and the last version of a piece of its log


class Send(Struct, frozen=True):
    """Post one frame to one connection; `spans` has what each push in it covers."""

    connection_id: str
    text: str
    spans: tuple[Span, ...] = ()


class NoteMissed(Struct, frozen=True):
    """Note on a subscription what its connection did not take of the first request of which it did not take all."""

    topic: str
    connection_id: str
    request_id: str
    from_version: int
    version: int
