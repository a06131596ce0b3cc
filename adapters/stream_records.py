"""The records of a DynamoDB stream as Lambda hands them over, and the answer that Lambda expects."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct

from adapters.event_store import from_row
from adapters.items import from_item
from domain.errors import InvalidValue, Undecodable
from domain.instant import from_text, to_text
from domain.names import LONGEST_REQUEST_ID, require_id, require_name
from domain.recorded import RecordedEvent
from projections.presence import CLOSED, OPENED, SUBSCRIBED, UNSUBSCRIBED, Change

Record = Mapping[str, Any]

_TEXTS: Final = frozenset(
    {"tenant_id", "user_id", "connection_id", "topic", "source_ip", "user_agent", "correlation_id", "causation_id"}
)


class Delivered(Struct, frozen=True):
    """An event and the record that brought it."""

    event: RecordedEvent
    record: Record


def table_of(record: Record) -> str:
    """The name of the table that a record comes from."""
    return str(record.get("eventSourceARN", "")).partition(":table/")[2].partition("/")[0]


def sequence_number(record: Record) -> str:
    """The record's place in its shard: 21-40 digits, to be compared as a number."""
    return str(record.get("dynamodb", {}).get("SequenceNumber", ""))


def correlations(records: Iterable[Record]) -> list[str]:
    """What the requests of records of the Events table are followed by in logs, as far as the records tell."""
    images = (record.get("dynamodb", {}).get("NewImage", {}) for record in records)
    return sorted({image["correlation_id"]["S"] for image in images if "S" in image.get("correlation_id", ())})


def event_of(record: Record) -> RecordedEvent:
    """The event that a record of the Events table tells of; Undecodable for anything but an appended, whole one."""
    try:
        if record["eventName"] != "INSERT":
            raise Undecodable("the log was changed", change=record["eventName"])
        event = from_row(record["dynamodb"]["NewImage"])
        _require_place(event.tenant_id, event.user_id, event.request_id)
    except InvalidValue as exc:
        raise Undecodable(exc.reason, **exc.context) from exc
    except (KeyError, AttributeError, TypeError, ValueError) as exc:
        raise Undecodable(f"{type(exc).__name__}: {exc}") from exc
    return event


@lru_cache(maxsize=1024)  # asked of every record, and a batch is about few requests
def _require_place(tenant_id: str, user_id: str, request_id: str) -> None:
    """InvalidValue for what leads nowhere: no topic and no key could be made of it."""
    require_name("tenant_id", tenant_id)
    require_name("user_id", user_id)
    require_id("request_id", request_id, LONGEST_REQUEST_ID)


def change_of(record: Record, *, is_subscription: bool) -> Change | None:
    """The connection or subscription that came or went, None for a mere update; Undecodable when unreadable."""
    try:
        name = record["eventName"]
        if name == "MODIFY":
            return None
        came = name == "INSERT"
        row = from_item(record["dynamodb"]["NewImage" if came else "OldImage"])
        if wrong := sorted(name for name in _TEXTS & row.keys() if not isinstance(row[name], str)):
            raise Undecodable("not text", attributes=wrong)
        made_at = to_text(from_text(row["created_at" if is_subscription else "connected_at"]))
        seen_at = datetime.fromtimestamp(float(record["dynamodb"]["ApproximateCreationDateTime"]), UTC)
        kinds = (SUBSCRIBED, UNSUBSCRIBED) if is_subscription else (OPENED, CLOSED)
        return Change(
            type=kinds[0] if came else kinds[1],
            at=made_at if came else to_text(seen_at),
            made_at=made_at,
            tenant_id=row["tenant_id"],
            user_id=row["user_id"],
            connection_id=row["connection_id"],
            topic=row.get("topic"),
            source_ip=row.get("source_ip"),
            user_agent=row.get("user_agent"),
            # A row that is older than these has none.
            correlation_id=row.get("correlation_id"),
            causation_id=row.get("causation_id" if is_subscription else "correlation_id"),
        )
    except (KeyError, AttributeError, TypeError, ValueError, OverflowError, InvalidValue) as exc:
        raise Undecodable(f"{type(exc).__name__}: {exc}") from exc


def by_request(delivered: Iterable[Delivered]) -> dict[str, list[Delivered]]:
    """The deliveries of each request by version, each version once."""
    groups: dict[str, dict[int, Delivered]] = {}
    for one in delivered:
        groups.setdefault(one.event.request_id, {})[one.event.version] = one
    return {request_id: [group[version] for version in sorted(group)] for request_id, group in groups.items()}


def partial_batch_response(not_handled: Sequence[Record]) -> dict[str, list[dict[str, str]]]:
    """What makes Lambda resume at the first record that was not handled: nothing to report when all were.

    Lambda takes the lowest sequence number as its checkpoint and delivers everything from there on again.
    """
    if not not_handled:
        return {"batchItemFailures": []}
    first = min((sequence_number(record) for record in not_handled), key=int)
    return {"batchItemFailures": [{"itemIdentifier": first}]}
