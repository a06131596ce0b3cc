"""What it costs to get from a stream record to a typed event to a folded state, by us and by what others would use.

The same records for both: lives of 13 events (submitted, started, ten times progress, completed) as Lambda delivers
them. The peers:

- Powertools' DynamoDBStreamEvent, a pydantic model of the row and of each event's data, a pydantic state.
- `eventsourcing`: an aggregate of as many events, read from its in-memory store by its repository.
"""

import base64
import json
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache, reduce
from typing import Annotated, Any, Final, Literal

from aws_lambda_powertools.utilities.data_classes import DynamoDBStreamEvent
from pydantic import AwareDatetime, BaseModel, Field, Json, TypeAdapter

from adapters.clock import Clock
from adapters.event_store import to_row
from adapters.stream_records import event_of
from bench.rebuild import log
from bench.results import Row
from domain.instant import from_text
from domain.recorded import RecordedEvent
from domain.request import evolve
from domain.state import INITIAL, RequestState

LIVES: Final = 80
ROUNDS: Final = 7
SLOW: Final = "of what is left more than half is Python that takes a record's row apart and checks its 14 fields"
Record = dict[str, Any]


def records(lives: int) -> list[list[Record]]:
    """The stream records of so many requests, as they come out of Lambda's JSON."""
    clock = Clock()
    made = [[record_of(event) for event in log(number, clock)] for number in range(lives)]
    told: list[list[Record]] = json.loads(json.dumps(made))
    return told


def record_of(event: RecordedEvent) -> Record:
    """The stream record of an event's append."""
    row = to_row(event)
    image = {
        name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else value for name, value in row.items()
    }
    keys = {name: image[name] for name in ("request_id", "version")}
    change = {"Keys": keys, "NewImage": image, "SequenceNumber": "1" * 21, "StreamViewType": "NEW_IMAGE"}
    return {"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": change}


def ours(lives: Iterable[Sequence[Record]]) -> list[RequestState]:
    """By our own code."""
    states = []
    for life in lives:
        state = INITIAL
        for record in life:
            recorded = event_of(record)
            state = evolve(state, recorded.event(), from_text(recorded.at))
        states.append(state)
    return states


class _Event(BaseModel):
    request_id: str
    version: int
    event_id: str
    at: AwareDatetime
    tenant_id: str
    user_id: str
    correlation_id: str
    causation_id: str


class _SubmittedData(BaseModel):
    action: str
    payload: Any = None
    digest: str
    priority: int = 5
    due_at: AwareDatetime
    max_attempts: int = 3
    expires_at: AwareDatetime


class _StartedData(BaseModel):
    attempt: int
    worker_id: str
    lease_until: AwareDatetime


class _ProgressData(BaseModel):
    percent: Annotated[float, Field(ge=0, le=100)]
    message: str | None = None
    details: dict[str, Any] | None = None


class _CompletedData(BaseModel):
    result: Any = None


class _Submitted(_Event):
    type: Literal["RequestSubmitted"]
    data: Json[_SubmittedData]


class _Started(_Event):
    type: Literal["AttemptStarted"]
    data: Json[_StartedData]


class _Progress(_Event):
    type: Literal["ProgressReported"]
    data: Json[_ProgressData]


class _Completed(_Event):
    type: Literal["RequestCompleted"]
    data: Json[_CompletedData]


_ROW: Final[TypeAdapter[Any]] = TypeAdapter(
    Annotated[_Submitted | _Started | _Progress | _Completed, Field(discriminator="type")]
)


class _State(BaseModel):
    status: str = ""
    action: str = ""
    priority: int = 5
    attempt: int = 0
    max_attempts: int = 1
    percent: float = 0.0
    message: str | None = None
    worker_id: str | None = None
    lease_until: datetime | None = None
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    due_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None


def _evolve(state: _State, event: Any) -> _State:
    data: Any = event.data
    changed: dict[str, Any] = {"updated_at": event.at}
    match event:
        case _Submitted():
            changed |= {"status": "PENDING", "action": data.action, "priority": data.priority, "due_at": data.due_at}
            changed |= {"max_attempts": data.max_attempts, "expires_at": data.expires_at, "submitted_at": event.at}
        case _Started():
            changed |= {"status": "PROCESSING", "attempt": data.attempt, "worker_id": data.worker_id}
            changed |= {"lease_until": data.lease_until, "started_at": event.at, "percent": 0.0, "message": None}
        case _Progress():
            changed |= {"percent": data.percent, "message": data.message}
        case _:
            changed |= {"status": "COMPLETED", "percent": 100.0}
    return state.model_copy(update=changed)


def powertools(lives: Iterable[Sequence[Record]]) -> list[_State]:
    """By Powertools and pydantic."""
    states = []
    for life in lives:
        state = _State()
        for record in DynamoDBStreamEvent({"Records": life}).records:
            change: Any = record.dynamodb
            state = _evolve(state, _ROW.validate_python(change.new_image))
        states.append(state)
    return states


@cache  # the library refuses to know two classes of one name
def eventsourcing(lives: int, length: int) -> Callable[[], None] | None:
    """Aggregates of so many events, folded from the library's in-memory store; None where it is not installed."""
    try:
        from eventsourcing.application import Application  # noqa: PLC0415 - only the bench installs it
        from eventsourcing.domain import Aggregate, event  # noqa: PLC0415 - likewise
    except ImportError:
        return None

    class Life(Aggregate):
        @event("Submitted")
        def __init__(self, action: str, payload: dict[str, int]) -> None:
            self.action = action
            self.payload = payload
            self.status = "PENDING"
            self.percent = 0.0
            self.message = ""

        @event("Started")
        def start(self, attempt: int, worker_id: str) -> None:
            self.status = "PROCESSING"
            self.attempt = attempt
            self.worker_id = worker_id

        @event("Progress")
        def progress(self, percent: float, message: str) -> None:
            self.percent = percent
            self.message = message

        @event("Completed")
        def complete(self, result: dict[str, bool]) -> None:
            self.status = "COMPLETED"
            self.percent = 100.0
            self.result = result

    application: Any = Application()
    ids = []
    for number in range(lives):
        life = Life("bench", {"number": number})
        life.start(1, "w")
        for step in range(1, length - 2):
            life.progress(10.0 * step, f"Step {step} of 10")
        life.complete({"done": True})
        application.save(life)
        ids.append(life.id)

    def fold() -> None:
        assert all(application.repository.get(one).status == "COMPLETED" for one in ids)

    return fold


def best_of(*ways: Callable[[], object]) -> list[float]:
    """The least CPU seconds that each way took, taking turns, so that what else the machine does meets all of them."""
    rounds = []
    for _ in range(ROUNDS):
        spent = []
        for way in ways:
            started = time.process_time()
            way()
            spent.append(time.process_time() - started)
        rounds.append(spent)
    return reduce(lambda least, spent: list(map(min, least, spent)), rounds)


def rows() -> list[Row]:
    """Microseconds of CPU a record."""
    lives = records(LIVES)
    assert [(state.status, state.percent) for state in ours(lives)] == [("COMPLETED", 100.0)] * LIVES
    assert [state.worker_id for state in ours(lives)] == [state.worker_id for state in powertools(lives)]
    library = eventsourcing(LIVES, len(lives[0]))
    ways: list[Callable[[], object]] = [lambda: ours(lives), lambda: powertools(lives), *([library] if library else [])]
    count = sum(map(len, lives))
    mine, theirs, *rest = (1e6 * seconds / count for seconds in best_of(*ways))
    why = SLOW if library else "not measured: eventsourcing is not installed, `make .venv/.bench` does it"
    # The ratio is of speeds, as the target is: records a CPU second.
    return [
        Row(
            "fold a stream record, Powertools + pydantic", 1e6 / mine, 1e6 / theirs, "records/CPU s", "ratio >= 5", SLOW
        ),
        Row(
            "fold a stream record, eventsourcing",
            1e6 / mine if rest else None,
            1e6 / rest[0] if rest else None,
            "records/CPU s",
            "ratio >= 10",
            why,
        ),
    ]
