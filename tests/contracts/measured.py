"""What each operation consumes, as DynamoDB itself says: every call of a client asks for it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

_READS: Final = frozenset({"GetItem", "Query", "Scan", "BatchGetItem"})
_WRITES: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})


@dataclass(slots=True)
class Consumed:
    """Capacity units: read and write units of the tables, and write units of their indexes."""

    calls: int = 0
    read: Decimal = Decimal(0)
    write: Decimal = Decimal(0)
    index_write: Decimal = Decimal(0)

    def add(self, operation: str, told: Any) -> None:
        """Count an answer's `ConsumedCapacity`, which is one table's or a list."""
        self.calls += 1
        for one in told if isinstance(told, list) else [told]:
            total = Decimal(str(one["CapacityUnits"]))
            indexes = one.get("GlobalSecondaryIndexes", {}).values()
            on_indexes = sum((Decimal(str(index["CapacityUnits"])) for index in indexes), Decimal(0))
            if operation in _READS:
                self.read += total
            else:
                self.write += total - on_indexes
                self.index_write += on_indexes

    def __str__(self) -> str:
        return " | ".join(f"{number.normalize():f}" for number in (self.read, self.write, self.index_write))


@contextmanager
def measured(client: Any) -> Iterator[Consumed]:
    """Count what the calls of a client consume in the block."""
    consumed = Consumed()

    def ask(params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name in _READS | _WRITES:
            params["ReturnConsumedCapacity"] = "INDEXES"

    def note(parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        if "ConsumedCapacity" in parsed:
            consumed.add(model.name, parsed["ConsumedCapacity"])

    client.meta.events.register("provide-client-params.dynamodb.*", ask, unique_id="measured-ask")
    client.meta.events.register("after-call.dynamodb.*", note, unique_id="measured-note")
    try:
        yield consumed
    finally:
        client.meta.events.unregister("provide-client-params.dynamodb.*", ask, unique_id="measured-ask")
        client.meta.events.unregister("after-call.dynamodb.*", note, unique_id="measured-note")
