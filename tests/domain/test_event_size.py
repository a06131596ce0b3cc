"""Events stay small: a progress event of ordinary size costs one write unit."""

from datetime import timedelta
from typing import Any, Final

import pytest

from adapters.event_store import to_row
from domain.commands import RenewLease, ReportProgress, Start, Submit
from domain.recorded import Head, Origin, RecordedEvent, record
from domain.request import decide
from tests.strategies import START

WRITE_UNIT: Final = 1024
OWNER: Final = Origin(
    tenant_id="9b2d6c0e-4f3a-4a51-8f0e-6f1c2b3a4d5e",
    user_id="auth0|5f7c8ec7c33c6c004bbafe82",
    correlation_id="Dm7PQdGioAMFqyg=",  # as API Gateway makes them
    causation_id="0123456789abcdef0123456789abcdef",
)
MESSAGE: Final = "Reading the audit of 2026-01-01: 123,456 entries so far"
TOLD: Final = "125,000 rows read, 104,200 made"
CHECKPOINT: Final = {"done": 2, "row": 125_000}
DETAILS: Final = {"rows_read": 125_000, "rows_made": 104_200}


def item_size(item: dict[str, dict[str, Any]]) -> int:
    """Bytes of an item by DynamoDB's rule: names and values; a number has a byte for two digits, and one more."""

    def size(value: dict[str, Any]) -> int:
        ((kind, content),) = value.items()
        match kind:
            case "S":
                return len(content.encode())
            case "N":
                return (len(content) + 1) // 2 + 1
            case _:
                return len(content)

    return sum(len(name.encode()) + size(value) for name, value in item.items())


def ordinary_log() -> list[RecordedEvent]:
    head = Head("019a8f2e-5b6c-7d8e-9f01-23456789abcd")
    hour = START + timedelta(hours=1)
    log: list[RecordedEvent] = []
    for command in (
        Submit(
            now=START,
            action="process_data",
            digest="0123456789abcdef",
            payload={"csv_ref": "acme/rows.csv"},
            connection_id="L0SM9cOFvHcCIhw=",
            source_ip="2001:0db8:85a3:0000:0000:8a2e:0370:7334",
            metadata={"a": "b"},
        ),
        Start(now=START, worker_id="c7a1f0e2-3b4c-4d5e-8f90-a1b2c3d4e5f6/1", lease_until=hour),
        ReportProgress(now=START, attempt=1, percent=33.3, message=MESSAGE),
        ReportProgress(now=START, attempt=1, percent=42.1, message=TOLD, details=DETAILS),
        ReportProgress(now=START, attempt=1, percent=50, message=TOLD, checkpoint=CHECKPOINT),
        RenewLease(now=START, attempt=1, lease_until=hour + timedelta(hours=1)),
    ):
        (event,) = decide(command, head.state)
        log.append(record(event, head, START, "fedcba9876543210fedcba9876543210", OWNER))
        head = Head.of(log[-1])
    return log


@pytest.mark.parametrize("recorded", ordinary_log(), ids=lambda recorded: f"{recorded.version}-{recorded.type}")
def test_an_event_of_ordinary_size_is_one_write_unit(recorded: RecordedEvent) -> None:
    assert item_size(to_row(recorded)) < WRITE_UNIT


def test_the_size_of_an_item_is_that_of_its_names_and_values() -> None:
    assert item_size({"a": {"S": "é"}, "bc": {"N": "123"}, "d": {"B": b"1234"}}) == (1 + 2) + (2 + 3) + (1 + 4)
