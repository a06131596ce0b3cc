"""The table in docs/capacity.md tells what DynamoDB itself says that each operation consumes."""

from collections.abc import Callable

import pytest

from tests.contracts.backends import DYNAMODB_LOCAL
from tests.contracts.capacity import HEADING, PAGE, measure, table_of
from tests.contracts.measured import Consumed


@pytest.fixture(scope="module")
def costs(endpoint: Callable[[str], str]) -> dict[str, Consumed]:
    return measure(endpoint(DYNAMODB_LOCAL))


def test_the_page_tells_what_was_measured(costs: dict[str, Consumed]) -> None:
    _, heading, rows = PAGE.read_text().partition(HEADING)
    assert heading + rows == table_of(costs)


@pytest.mark.parametrize("event", ["submission", "progress event"])
def test_an_append_is_one_call_and_one_write_unit(costs: dict[str, Consumed], event: str) -> None:
    cost = costs[f"append a {event}"]
    assert cost.calls == 1
    assert str(cost) == "0 | 1 | 0"


def test_the_newest_event_is_one_call_and_at_most_one_read_unit(costs: dict[str, Consumed]) -> None:
    cost = costs["load the newest event"]
    assert cost.calls == 1
    assert cost.read <= 1


def test_no_index_is_written_for_progress(costs: dict[str, Consumed]) -> None:
    assert costs["project a progress event"].index_write == 0
    assert costs["project a batch of 20 progress events of one request"].write == 1


def test_every_operation_was_measured(costs: dict[str, Consumed]) -> None:
    assert all(cost.calls and cost.read + cost.write for cost in costs.values())
