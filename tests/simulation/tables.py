"""The tables of template.yaml in memory: rows by partition, in order, as they are and as they were a moment ago."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from local.template import resources
from tests.simulation.calls import refused
from tests.simulation.expressions import Item, plain

LARGEST_ITEM: Final = 400 * 1024
REMEMBERED_S: Final = 3.0  # how old an inconsistent read may be

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index, which is a way to look at the table's rows, perhaps those of a moment ago."""

    partition: str
    sort: str | None
    held: frozenset[str] | None  # None: everything


@dataclass(slots=True)
class Table:
    """A table: its rows by partition, sorted within."""

    name: str
    partition: str
    sort: str | None
    kinds: Mapping[str, str]
    indexes: Mapping[str, Index]
    expiry: str | None
    stream: str | None
    rows: dict[Any, dict[Any, Item]] = field(default_factory=dict)
    order: dict[Any, list[Any]] = field(default_factory=dict)
    recent: deque[tuple[float, Key, Item | None]] = field(default_factory=deque)

    def key_of(self, item: Item, operation: str, *, alone: bool = False) -> Key:
        """The key of an item or of a `Key` argument; refused when it is not of the table's form."""
        names = [self.partition, *([self.sort] if self.sort else [])]
        if alone and set(item) != set(names):
            raise refused(operation, "The provided key element does not match the schema")
        values = []
        for name in names:
            value = item.get(name)
            if value is None or set(value) != {self.kinds[name]}:
                raise refused(operation, f"Missing the key {name} in the item")
            if value.get("S") == "" or value.get("B") == b"":
                raise refused(operation, f"Key attribute {name} is empty")
            values.append(plain(value))
        return tuple(values)

    def get(self, key: Key) -> Item | None:
        """A row."""
        return self.rows.get(key[0], {}).get(key[1] if self.sort else None)

    def set(self, key: Key, item: Item | None) -> None:
        """Put a row in place, or take it away."""
        part, sort = key[0], key[1] if self.sort else None
        rows = self.rows.setdefault(part, {})
        order = self.order.setdefault(part, [])
        if item is None:
            del rows[sort]
            if self.sort:
                del order[bisect_left(order, sort)]
            return
        if self.sort and sort not in rows:
            insort(order, sort)
        rows[sort] = item

    def all(self) -> Iterator[tuple[Key, Item]]:
        """Every row with its key."""
        for part, rows in self.rows.items():
            for sort, item in rows.items():
                yield ((part, sort) if self.sort else (part,)), item

    def note(self, now: float, key: Key, before: Item | None) -> None:
        """Remember what a row was before a change."""
        while self.recent and self.recent[0][0] < now - REMEMBERED_S:
            self.recent.popleft()
        self.recent.append((now, key, before))

    def as_of(self, since: float | None) -> Callable[[Key], Item | None]:
        """Reads rows as they were at an instant; None: as they are."""
        past = self._past(since)
        return (lambda key: past[key] if key in past else self.get(key)) if past else self.get

    def partition_of(self, wanted: Any, since: float | None) -> list[tuple[Key, Item]]:
        """The rows of a partition in order, each with (sort key, the table's own key)."""
        past = self._past(since)
        rows = self.rows.get(wanted, {})
        if not past:
            if self.sort is None:
                return [((wanted, wanted), item) for item in rows.values()]
            return [((sort, wanted, sort), rows[sort]) for sort in self.order.get(wanted, [])]
        names = {(wanted, sort) if self.sort else (wanted,) for sort in rows}
        names |= {key for key in past if key[0] == wanted}
        items = [(key, past[key] if key in past else self.get(key)) for key in names]
        return sorted([((key[-1], *key), item) for key, item in items if item is not None], key=lambda row: row[0])

    def indexed(self, index: Index, wanted: Any, since: float | None) -> list[tuple[Key, Item]]:
        """The same of a partition of an index, with what the index holds of each row."""
        past = self._past(since)
        found: list[tuple[Key, Item]] = []
        current = ((key, item) for key, item in self.all() if key not in past)
        for key, item in (*current, *past.items()):
            if item is None:
                continue
            partition, sort = item.get(index.partition), item.get(index.sort) if index.sort else {"S": ""}
            if partition is None or sort is None or plain(partition) != wanted:
                continue
            held = item if index.held is None else {n: item[n] for n in index.held if n in item}
            found.append(((plain(sort), *key), held))
        found.sort(key=lambda row: row[0])
        return found

    def expired(self, epoch: float) -> list[Key]:
        """The rows whose time to live is over, which DynamoDB may remove at any time from now on."""
        name = self.expiry
        if name is None:
            return []
        return [key for key, item in self.all() if "N" in item.get(name, {}) and int(item[name]["N"]) < epoch]

    def _past(self, since: float | None) -> dict[Key, Item | None]:
        """What rows were that have changed since then."""
        past: dict[Key, Item | None] = {}
        if since is not None:
            for at, key, before in reversed(self.recent):
                if at < since:
                    break
                past[key] = before
        return past


def size_of(item: Item) -> int:
    """The size of an item as DynamoDB counts it, near enough."""
    size = 0
    for name, value in item.items():
        size += len(name)
        for kind, content in value.items():  # there is one
            if kind == "S":
                size += len(content) if content.isascii() else len(content.encode(errors="surrogatepass"))
            elif kind == "SS":
                size += sum(map(len, content))
            else:
                size += len(content) if kind in ("B", "N") else 1
    return size


def require_size(item: Item | None, operation: str) -> None:
    """Refuse an item that no table holds."""
    if item is not None and size_of(item) > LARGEST_ITEM:
        raise refused(operation, "Item size has exceeded the maximum allowed size")


def table_of(name: str, defined: Mapping[str, Any]) -> Table:
    """A table as the template defines it."""
    partition, sort = _schema(defined)
    kinds = {one["AttributeName"]: one["AttributeType"] for one in defined["AttributeDefinitions"]}
    indexes = {}
    for index in defined.get("GlobalSecondaryIndexes", []):
        own = _schema(index)
        kept = None
        if index["Projection"]["ProjectionType"] != "ALL":
            kept = frozenset({partition, sort, *own, *index["Projection"].get("NonKeyAttributes", ())} - {None})
        indexes[index["IndexName"]] = Index(own[0], own[1], kept)
    ttl, stream = defined.get("TimeToLiveSpecification", {}), defined.get("StreamSpecification", {})
    return Table(name, partition, sort, kinds, indexes, ttl.get("AttributeName"), stream.get("StreamViewType"))


def _schema(of: Mapping[str, Any]) -> tuple[str, str | None]:
    roles = {key["KeyType"]: key["AttributeName"] for key in of["KeySchema"]}
    return roles["HASH"], roles.get("RANGE")


DEFINED: Final = resources("AWS::DynamoDB::Table")
