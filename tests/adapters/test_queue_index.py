"""A cursor of the queue leads on from a place in it or nowhere; the queue itself is a contract."""

from datetime import timedelta

import pytest

from adapters.request_queue import RequestQueue
from adapters.request_view import RequestView
from domain.errors import InvalidValue, Undecodable
from domain.state import Status
from tests.adapters.conftest import Asking
from tests.kit.tables import Aws


@pytest.mark.parametrize("cursor", ["", "%", "W10=", "IjEi", "eyJhIjoxfQ=="])
def test_a_cursor_that_was_not_given_out_is_refused(queue: RequestQueue, cursor: str) -> None:
    with pytest.raises(InvalidValue):
        queue.list_by_status(Status.PENDING, 10, cursor)


def test_an_entry_that_no_code_can_read_holds_up_no_other_and_is_told(
    asking: Asking, queue: RequestQueue, view: RequestView, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Undecodable] = []
    for index in (view.queue, view.statuses):
        monkeypatch.setattr(index, "_passed_over", told.append)
    odd, good = asking.ask(priority=9).request_id, asking.ask(priority=0).request_id
    asking.project()
    aws.dynamodb.update_item(
        TableName=aws.tables["Requests"],
        Key={"request_id": {"S": odd}},
        UpdateExpression="SET turn = :turn",
        ExpressionAttributeValues={":turn": {"S": "00000000#v2"}},
    )
    assert [one.request_id for one in view.statuses.until(Status.PENDING, "9999", 10)] == [good]
    claimed = queue.claim(None, "w", timedelta(seconds=30))
    assert claimed is not None
    assert claimed.head.request_id == good
    assert {str(one.context["request_id"]) for one in told} == {odd}
    assert len(told) == 2
