"""Requests that the stream said nothing of are found and brought up, a few each turn of the sweeper."""

from unittest.mock import patch

import pytest

from adapters.patrol import Patrol
from domain.errors import Unavailable
from handlers import bootstrap
from tests.kit.calls import each, refused, watched
from tests.kit.requests import Whose
from tests.kit.stories import STORIES
from tests.kit.world import World


@pytest.fixture
def patrol(world: World) -> Patrol:  # noqa: ARG001 - the handlers' parts are the world's
    return bootstrap.patrol()


def test_requests_that_no_view_has_are_found_counted_and_woken(world: World, patrol: Patrol) -> None:
    told = [story(world.requests) for name, story in STORIES.items() if name != "expired"]
    world.records()  # lost
    world.clock.advance(61)

    walked = patrol.walk()

    assert (walked.behind, walked.repaired, walked.unreadable) == (len(told), len(told), 0)
    assert world.differences() == []
    assert any(told[0] in token for token in world.aws.tokens())
    assert patrol.walk().behind == 0


def test_what_was_written_a_moment_ago_is_left_to_the_stream(world: World, patrol: Patrol) -> None:
    world.requests.submit()
    world.clock.advance(30)
    assert patrol.walk().behind == 0
    world.clock.advance(31)
    assert patrol.walk().repaired == 1


def test_a_request_that_the_queue_still_shows_is_found_at_once_wherever_the_patrol_is(
    world: World, patrol: Patrol
) -> None:
    request_id = world.requests.submit()
    world.requests.start(request_id)
    world.project(world.records())
    world.requests.complete(request_id)
    world.records()  # lost
    world.clock.advance(61)

    with watched() as calls:
        assert patrol.walk().repaired == 1

    assert world.differences() == []
    assert len(calls.of("Scan")) == 1


def test_the_whole_log_is_walked_page_by_page_and_then_again(world: World, patrol: Patrol) -> None:
    requests = [world.requests.submit(Whose("acme", f"user-{n}")) for n in range(9)]
    world.project(world.records())
    for request_id in requests:
        world.requests.cancel(request_id)
    world.records()  # lost
    world.clock.advance(61)
    real = world.aws.dynamodb.scan

    def small(**arguments: object) -> object:
        return real(**{**arguments, "Limit": 4})  # type: ignore[arg-type]

    with patch.object(Patrol, "_front", lambda *_: None), patch.object(patrol._client, "scan", small):
        repaired = [patrol.walk().repaired for _ in range(6)]

    assert sum(repaired) == 9
    assert max(repaired) <= 4
    assert world.differences() == []


def test_a_turn_that_fails_is_walked_again(world: World, patrol: Patrol) -> None:
    world.requests.submit()
    world.records()
    world.clock.advance(61)
    with watched(refused, each("TransactWriteItems")), pytest.raises(Unavailable):
        patrol.walk()
    assert patrol.walk().repaired == 1
    assert world.differences() == []


def test_a_log_that_no_code_can_read_holds_up_nobody(world: World, patrol: Patrol) -> None:
    bad, good = world.requests.submit(), world.requests.submit()
    world.records()
    world.aws.dynamodb.update_item(
        TableName=world.aws.tables["Events"],
        Key={"request_id": {"S": bad}, "version": {"N": "1"}},
        UpdateExpression="SET #state = :torn",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":torn": {"S": "{"}},
    )
    world.clock.advance(61)

    walked = patrol.walk()

    assert (walked.repaired, walked.unreadable) == (1, 1)
    assert bootstrap.views().cursors([good])[good].version == 1


def test_an_event_of_a_request_whose_name_is_none_is_passed_over(world: World, patrol: Patrol) -> None:
    good = world.requests.submit()
    events = world.aws.tables["Events"]
    row = world.aws.dynamodb.get_item(TableName=events, Key={"request_id": {"S": good}, "version": {"N": "1"}})["Item"]
    world.aws.dynamodb.put_item(TableName=events, Item={**row, "request_id": {"S": "odd\nname"}})
    world.records()  # lost
    world.clock.advance(61)

    walked = patrol.walk()

    assert (walked.repaired, walked.unreadable) == (1, 1)
