"""What was set aside is handed to the projections again, as often as one likes, and nothing of it is lost."""

import io
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest

from handlers import project_views
from tests.kit.calls import Crash, Fault, at, crash_after, crash_before, watched
from tests.kit.people import connect
from tests.kit.streams import Record
from tests.kit.views import presence_counts
from tests.kit.world import World
from tools.failures import Redriven, redrive
from tools.operated import Operated


@dataclass
class Functions:
    """Lambda, with project_views in this process."""

    invoked: int = 0
    broken: bool = False

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert FunctionName == "project-views"
        self.invoked += 1
        if self.broken:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "out of order"}')}
        answer = project_views.handler(json.loads(Payload), None)
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@dataclass
class Here:
    """A stack whose parts are in this process."""

    world: World
    functions: Functions = field(default_factory=Functions)

    @property
    def resources(self) -> Mapping[str, str]:
        return {"FailuresBucket": self.world.aws.failures_bucket, "ProjectViews": "project-views"}

    def client(self, service: str) -> Any:
        return {"s3": self.world.aws.s3, "lambda": self.functions}[service]


@pytest.fixture
def here(world: World) -> Here:
    return Here(world)


def again(here: Here, stack: Operated) -> Redriven:
    made: Any = here
    return redrive(made, stack, here.world.clock)


def kept(world: World) -> list[str]:
    return sorted(world.aws.objects(world.aws.failures_bucket))


def spoilt(record: Record, image: str = "NewImage", attribute: str = "state") -> Record:
    copy = deepcopy(record)
    del copy["dynamodb"][image][attribute]
    return copy


def given_up(world: World, records: Sequence[Record], *, as_text: bool = True, name: str = "one") -> None:
    """An object as Lambda writes it when it gives a batch up."""
    event = {"Records": list(records)}
    told = {
        "requestContext": {"condition": "RetryAttemptsExhausted"},
        "version": "1.0",
        "DDBStreamBatchInfo": {"batchSize": len(records)},
        "payload": json.dumps(event) if as_text else event,
    }
    key = f"aws/lambda/mapping/shard/2026/11/22/{name}"
    world.aws.s3.put_object(Bucket=world.aws.failures_bucket, Key=key, Body=json.dumps(told).encode())


def test_a_quarantined_record_is_made_good_from_the_log(world: World, here: Here, stack: Operated) -> None:
    request_id = world.requests.submit()
    (record,) = world.records()
    world.project([spoilt(record)])
    assert len(kept(world)) == 1
    assert again(here, stack) == Redriven(1)
    assert kept(world) == []
    assert world.differences() == []
    assert world.aws.tokens()
    assert request_id in {row["request_id"]["S"] for row in world.aws.rows("Requests")}
    assert again(here, stack) == Redriven(0)


def test_a_record_whose_log_no_code_can_read_stays(world: World, here: Here, stack: Operated) -> None:
    world.requests.submit()
    (row,) = world.aws.rows("Events")
    world.aws.dynamodb.put_item(TableName=world.aws.tables["Events"], Item={**row, "type": {"S": "RequestForgotten"}})
    records = [record for record in world.records() if record["eventName"] == "MODIFY"]
    world.project(records)
    (key,) = kept(world)
    done = again(here, stack)
    assert (done.handled, list(done.left)) == (0, [key])
    assert "log" in done.left[key]
    assert kept(world) == [key]


@pytest.mark.parametrize("as_text", [True, False])
def test_a_batch_that_was_given_up_is_made_good(world: World, here: Here, stack: Operated, *, as_text: bool) -> None:
    first, second = world.requests.submit(), world.requests.submit()
    world.requests.start(first)
    world.requests.complete(first)
    given_up(world, world.records(), as_text=as_text)
    assert again(here, stack) == Redriven(1)
    assert kept(world) == []
    assert world.differences() == []
    assert {first, second} == {row["request_id"]["S"] for row in world.aws.rows("Requests")}


def test_a_request_that_has_expired_is_over(world: World, here: Here, stack: Operated) -> None:
    world.requests.submit()
    given_up(world, world.records())
    for row in world.aws.rows("Events"):
        key = {name: row[name] for name in ("request_id", "version")}
        world.aws.dynamodb.delete_item(TableName=world.aws.tables["Events"], Key=key)
    assert again(here, stack) == Redriven(1)
    assert kept(world) == []


def test_who_came_and_went_is_counted_once(world: World, here: Here, stack: Operated) -> None:
    for name in ("c-1", "c-2"):
        connect(world, name)
    records = world.records("Connections")
    world.project(records[:1])
    given_up(world, records)
    given_up(world, records, name="two")
    assert again(here, stack) == Redriven(2)
    assert kept(world) == []
    assert presence_counts(world.aws, "acme")["connected"] == 2


def test_a_connection_that_stays_unreadable_comes_back_under_its_own_name(
    world: World, here: Here, stack: Operated
) -> None:
    connect(world, "c-1")
    (record,) = world.records("Connections")
    world.project([spoilt(record, attribute="tenant_id")])
    before = kept(world)
    done = again(here, stack)
    assert (done.handled, list(done.left.values())) == (0, ["still unreadable"])
    assert kept(world) == before


def readable_in_quarantine(world: World) -> None:
    """A record of a connection that an older version could not read."""
    connect(world, "c-1")
    (record,) = world.records("Connections")
    content = json.dumps({"reason": "Unreadable record", "record": record}).encode()
    world.aws.s3.put_object(Bucket=world.aws.failures_bucket, Key="quarantine/Connections/1.json", Body=content)


def test_a_projection_that_is_out_of_order_leaves_everything(world: World, here: Here, stack: Operated) -> None:
    readable_in_quarantine(world)
    here.functions.broken = True
    done = again(here, stack)
    assert done.handled == 0
    assert "out of order" in next(iter(done.left.values()))
    assert len(kept(world)) == 1
    here.functions.broken = False
    assert again(here, stack) == Redriven(1)
    assert kept(world) == []
    assert presence_counts(world.aws, "acme")["connected"] == 1


@pytest.mark.parametrize("fault", [crash_before, crash_after])
@pytest.mark.parametrize("place", range(11))
def test_nothing_is_lost_wherever_it_ends(world: World, here: Here, stack: Operated, fault: Fault, place: int) -> None:
    readable_in_quarantine(world)
    world.requests.submit()
    given_up(world, world.records())
    with watched(fault, at(place)) as calls, pytest.raises(Crash):
        again(here, stack)
    assert calls.fired == 1
    assert again(here, stack).left == {}
    assert kept(world) == []
    assert world.differences() == []
    assert presence_counts(world.aws, "acme")["connected"] == 1


@pytest.mark.parametrize("content", [b"no JSON", b"[]", b"{}", b'{"payload": {}}', b'{"payload": {"Records": [1]}}'])
def test_what_nobody_put_there_stays(world: World, here: Here, stack: Operated, content: bytes) -> None:
    world.aws.s3.put_object(Bucket=world.aws.failures_bucket, Key="other", Body=content)
    assert list(again(here, stack).left) == ["other"]
    assert kept(world) == ["other"]


def test_records_of_another_stack_stay(world: World, here: Here, stack: Operated) -> None:
    connect(world, "c-1")
    (record,) = world.records("Connections")
    foreign = {**record, "eventSourceARN": record["eventSourceARN"].replace("streamer-", "other-")}
    given_up(world, [foreign])
    (why,) = again(here, stack).left.values()
    assert why == "not of this stack's tables: other-Connections"
    assert here.functions.invoked == 0
