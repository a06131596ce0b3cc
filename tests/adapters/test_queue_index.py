"""A cursor of the queue leads on from a place in it or nowhere; the queue itself is a contract."""

import pytest

from adapters.request_queue import RequestQueue
from domain.errors import InvalidValue
from domain.state import Status


@pytest.mark.parametrize("cursor", ["", "%", "W10=", "IjEi", "eyJhIjoxfQ=="])
def test_a_cursor_that_was_not_given_out_is_refused(queue: RequestQueue, cursor: str) -> None:
    with pytest.raises(InvalidValue):
        queue.list_by_status(Status.PENDING, 10, cursor)
