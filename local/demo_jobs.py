"""What the demo asks for: jobs of every kind of ending, followed by the real client."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from client import Handle, RequestCancelled, RequestFailed, StreamerClient
from client.bars import Bars
from domain.events import ProgressReported
from domain.state import Status

REGIONS: Final = ("north", "east", "south", "west")


@dataclass(slots=True)
class Job:
    """One request of the demo: what is asked, how it should end, and how it did."""

    name: str
    action: str
    payload: Any
    ends: Status = Status.COMPLETED
    max_attempts: int | None = None
    cancel: bool = False
    request_id: str = ""
    result: Any = None
    error: str = ""
    status: Status | None = None
    types: list[str] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)


def jobs() -> list[Job]:
    """The jobs that are submitted at the same time."""
    never = "taken back while it runs"
    return [
        Job("six seconds in twelve steps", "delay", {"seconds": 6, "steps": 12}),
        Job("three seconds in six steps", "delay", {"seconds": 3, "steps": 6}),
        Job("sales by region", "process_data", {"csv": _sales(1_500), "operations": _BY_REGION}),
        Job("fails in each attempt", "delay", {"seconds": 1, "steps": 4, "fail_attempts": 9}, Status.FAILED, 2),
        Job(never, "delay", {"seconds": 60, "steps": 120}, Status.CANCELLED, cancel=True),
    ]


async def follow(job: Job, client: StreamerClient, bars: Bars) -> None:
    """Submit a job, show its progress and note how it ended."""
    bar = bars.add(job.name)
    handle = await client.submit(job.action, job.payload, max_attempts=job.max_attempts)
    job.request_id = handle.request_id
    async for update in handle:
        job.latencies_ms.append((datetime.now(UTC) - update.at) / timedelta(milliseconds=1))
        job.types.append(update.type)
        bar.show(update)
        if job.cancel and update.type == ProgressReported.__name__:
            job.cancel = False
            await handle.cancel("no longer needed")
    job.status = Status((handle.state or {})["status"])
    await _note_result(job, handle)


async def _note_result(job: Job, handle: Handle) -> None:
    try:
        job.result = await handle.result()
    except RequestFailed as error:
        job.error = f"{error.error.get('code')}: {error.error.get('message')}"
    except RequestCancelled as error:
        job.error = error.reason


def _sales(rows: int) -> str:
    lines = (f"{n},{REGIONS[n * 7 % 4]},{n * 37 % 500}.{n * 11 % 100:02}" for n in range(rows))
    return "\n".join(["order,region,amount", *lines])


_BY_REGION: Final = [
    {"op": "filter", "column": "amount", "comparison": "ge", "value": 100},
    {
        "op": "aggregate",
        "by": ["region"],
        "measures": [
            {"function": "count", "as": "orders"},
            {"function": "sum", "column": "amount", "as": "total"},
        ],
    },
    {"op": "sort", "by": ["total"], "descending": True},
]
