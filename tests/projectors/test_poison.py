"""Records that no code can read."""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest

from adapters.items import from_item
from tests.kit.calls import each, nth, refused, watched
from tests.kit.requests import Whose
from tests.kit.stories import tell_all
from tests.kit.streams import Record
from tests.kit.world import World

Spoil = Callable[[Record], None]


def _attribute(name: str, value: Mapping[str, Any] | None) -> Spoil:
    def spoil(record: Record) -> None:
        image = record["dynamodb"]["NewImage"]
        if value is None:
            del image[name]
        else:
            image[name] = value

    return spoil


def _removed(record: Record) -> None:
    record["eventName"] = "REMOVE"
    record["dynamodb"]["OldImage"] = record["dynamodb"].pop("NewImage")


SPOILT: Mapping[str, tuple[Spoil, str]] = {
    "changed": (lambda record: record.update(eventName="MODIFY"), "the log was changed"),
    "removed": (_removed, "the log was changed"),
    "no event name": (lambda record: record.__delitem__("eventName"), "eventName"),
    "no image": (lambda record: record["dynamodb"].__delitem__("NewImage"), "NewImage"),
    "no dynamodb part": (lambda record: record.__delitem__("dynamodb"), "dynamodb"),
    "no state": (_attribute("state", None), "no state"),
    "no data": (_attribute("data", None), "no data"),
    "no request id": (_attribute("request_id", None), "no request_id"),
    "version is text": (_attribute("version", {"S": "1"}), "version"),
    "version is a fraction": (_attribute("version", {"N": "1.5"}), "version"),
    "a list where text belongs": (_attribute("type", {"L": [{"S": "RequestSubmitted"}]}), "type"),
    "text where a mapping belongs": (_attribute("type", "RequestSubmitted"), ""),  # type: ignore[arg-type]
    "hash is not base64": (_attribute("hash", {"B": "%"}), ""),
    "hash is text": (_attribute("hash", {"S": "ab"}), "hash is of another kind"),
    "at is no instant": (_attribute("at", {"S": "yesterday"}), "at is no instant"),
    "unknown type": (_attribute("type", {"S": "RequestForgotten"}), "type=RequestForgotten"),
    "unknown schema": (_attribute("schema", {"N": "99"}), "schema=99"),
    "data is not JSON": (_attribute("data", {"S": '{"action":'}), ""),
    "data is not an object": (_attribute("data", {"S": "[1]"}), "Expected `object`"),
    "data is of another kind": (_attribute("data", {"S": '{"action":1,"percent":[],"result_ref":2}'}), ""),
    "state is not JSON": (_attribute("state", {"S": "{status: PENDING}"}), ""),
    "state is of no known status": (_attribute("state", {"S": '{"status":"LOST"}'}), "LOST"),
}
MOMENTS = {"submitted": 0, "in-progress": 2, "completed": 3}  # the place among the four events of a request


def _spoilt(record: Record, spoil: Spoil) -> Record:
    copy = deepcopy(record)
    spoil(copy)
    return copy


def _kept(world: World) -> list[tuple[str, Mapping[str, Any]]]:
    return [(key, json.loads(body)) for key, body in world.aws.objects(world.aws.failures_bucket).items()]


def _batch(world: World) -> tuple[list[Record], dict[str, Record]]:
    """A batch of five requests, and of three of them a record: each at another moment of its life."""
    world.requests.cancel(world.requests.submit(Whose("acme", "before")))
    for name in MOMENTS:
        victim = world.requests.submit(Whose("acme", name))
        world.requests.start(victim)
        world.requests.progress(victim, 40)
        world.requests.complete(victim)
    world.requests.submit(Whose("acme", "after"))
    batch = world.records()
    return batch, {name: batch[2 + 4 * n + place] for n, (name, place) in enumerate(MOMENTS.items())}


def _with(batch: Sequence[Record], good: Record, bad: Record) -> list[Record]:
    return [bad if record is good else record for record in batch]


@pytest.mark.parametrize(("spoil", "reason"), SPOILT.values(), ids=SPOILT.keys())
def test_an_unreadable_record_is_kept_whole_and_the_rest_is_handled(
    world: World, capsys: pytest.CaptureFixture[str], spoil: Spoil, reason: str
) -> None:
    batch, good = _batch(world)
    poison = {name: _spoilt(record, spoil) for name, record in good.items()}
    for name, record in good.items():
        batch = _with(batch, record, poison[name])

    assert world.project(batch) == []

    kept = _kept(world)
    assert sorted(one["record"]["eventID"] for _, one in kept) == sorted(one["eventID"] for one in poison.values())
    assert all(one["record"] in poison.values() for _, one in kept)
    assert all(one["reason"].startswith("Unreadable record") and reason in one["reason"] for _, one in kept)
    assert _emitted(capsys) == [len(poison)]
    # What a record cannot tell comes from the log with the next one; after the last one there is none.
    assert _versions(world) == {"before": 2, "submitted": 4, "in-progress": 4, "completed": 3, "after": 1}


def test_the_views_are_right_as_soon_as_any_later_record_comes(world: World) -> None:
    batch, good = _batch(world)
    for record in good.values():
        batch = _with(batch, record, _spoilt(record, _attribute("state", {"S": "?"})))
    world.project(batch)
    assert world.differences() != []

    world.project([good["completed"]])

    assert world.differences() == []


def test_a_batch_of_poison_alone_is_kept_and_reports_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    tell_all(world.requests)
    batch = [{**record, "eventName": "REMOVE"} for record in world.records()]

    assert world.project(batch) == []

    assert len(_kept(world)) == len(batch)
    assert _emitted(capsys) == [len(batch)]
    assert world.aws.rows("Requests") == []


def test_keeping_it_again_changes_nothing(world: World) -> None:
    world.requests.submit()
    batch = [{**record, "eventName": "MODIFY"} for record in world.records()]

    world.project(batch)
    once = _kept(world)
    world.project(batch)

    assert _kept(world) == once


@pytest.mark.parametrize("column", ["data", "state", "type", "at", "hash"])
def test_a_log_that_is_broken_itself_stops_its_own_view_only(
    world: World, capsys: pytest.CaptureFixture[str], column: str
) -> None:
    batch, good = _batch(world)
    victim = good["in-progress"]["dynamodb"]["Keys"]["request_id"]
    for version in "1234":
        world.aws.dynamodb.update_item(
            TableName=world.aws.tables["Events"],
            Key={"request_id": victim, "version": {"N": version}},
            UpdateExpression="SET #column = :broken",
            ExpressionAttributeNames={"#column": column},
            ExpressionAttributeValues={":broken": {"S": "?"}},
        )
    others = [record for record in batch if record["dynamodb"]["Keys"]["request_id"] != victim]

    assert world.project([*others, *world.records(), good["in-progress"]]) == []

    assert _versions(world) == {"before": 2, "submitted": 4, "completed": 4, "after": 1}
    assert [one["record"]["eventName"] for _, one in _kept(world)].count("MODIFY") == 4
    assert [one["record"] for _, one in _kept(world)].count(good["in-progress"]) == 1
    assert sum(_emitted(capsys)) == len(_kept(world)) == 5


def test_a_record_that_cannot_be_kept_is_not_handled(world: World) -> None:
    batch, good = _batch(world)
    poison = {**good["in-progress"], "eventName": "MODIFY"}

    with watched(refused, each("PutObject")) as calls:
        reported = world.project(_with(batch, good["in-progress"], poison))

    assert calls.fired == 1
    assert reported == [batch[0]["dynamodb"]["SequenceNumber"]]


@pytest.mark.parametrize("place", [0, 1])
def test_records_of_an_unreadable_log_that_cannot_be_kept_are_delivered_again(world: World, place: int) -> None:
    """The records are good, the log that should fill their gap is not, and the bucket is out of order."""
    victim = world.requests.submit(Whose("acme", "victim"))
    world.requests.start(victim)
    world.requests.progress(victim, 40)
    for name in "ab":
        world.requests.submit(Whose("acme", name))
    delivered = world.records()[1:]
    first = {"request_id": {"S": victim}, "version": {"N": "1"}}
    world.aws.dynamodb.update_item(TableName=world.aws.tables["Events"], Key=first, UpdateExpression="REMOVE tenant_id")

    with watched(refused, nth("PutObject", place)) as calls:
        deliveries = world.project_all(delivered)

    assert calls.fired == 1
    assert deliveries == 2
    assert _numbers([one["record"] for _, one in _kept(world)]) == _numbers(delivered[:2])


def _numbers(records: Sequence[Record]) -> set[str]:
    return {record["dynamodb"]["SequenceNumber"] for record in records}


def _versions(world: World) -> dict[str, int]:
    return {row["user_id"]: row["version"] for row in map(from_item, world.aws.rows("Requests"))}


def _emitted(capsys: pytest.CaptureFixture[str]) -> list[int]:
    """What went to CloudWatch under RecordsQuarantined, in its embedded format."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    blobs = [line for line in lines if "_aws" in line and "RecordsQuarantined" in line]
    assert all(blob["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Streamer" for blob in blobs)
    return [int(sum(blob["RecordsQuarantined"])) for blob in blobs]
