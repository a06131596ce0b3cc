"""Rows of counts are summed; what is no count is named."""

import pytest

from adapters.tenant_views import summed
from domain.errors import Undecodable


def test_counts_of_the_same_name_add_up() -> None:
    rows = [{"scope": "acme", "minute": "m", "submitted": 1, "queued_change": -1}, {"scope": "acme~1", "submitted": 2}]
    assert summed(rows) == {"submitted": 3, "queued_change": -1}


@pytest.mark.parametrize("count", ["1", None, True, b"x"])
def test_a_count_that_is_no_number_is_named(count: object) -> None:
    with pytest.raises(Undecodable) as caught:
        summed([{"scope": "acme", "minute": "m", "submitted": count}])
    assert caught.value.context == {"field": "submitted", "scope": "acme"}
