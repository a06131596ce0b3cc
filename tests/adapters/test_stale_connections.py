"""Connections that are over are closed and removed, however many there are and whatever fails."""

from datetime import timedelta
from unittest.mock import patch

import pytest

from adapters import connection_store
from adapters.connection_store import ConnectionStore
from adapters.stale_connections import Closed, StaleConnections
from domain.errors import Unavailable
from tests.adapters.sockets import Closing, connected
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.clock import FakeClock
from tests.kit.small_pages import SmallPages
from tests.kit.tables import moto_fixture

aws = moto_fixture()

LATER = 1e9


class OneByOne:
    """A pool without threads."""

    map = staticmethod(map)


def test_a_connection_whose_token_has_ended_is_closed_and_removed(
    stale: StaleConnections, connections: ConnectionStore, sockets: Closing, clock: FakeClock
) -> None:
    now = clock.now()
    connected(connections, "over", now, ends_at=now)
    connected(connections, "gone", now, ends_at=now)
    connected(connections, "live", now)
    sockets.gone.add("gone")
    assert stale.close(LATER) == Closed(closed=2, left=0, there=1)
    assert sockets.closed == ["over"]
    assert [one.connection_id for one in connections.list_by_tenant("acme", now)] == ["live"]


def test_a_connection_that_cannot_be_closed_now_holds_up_no_other_and_is_found_again(
    stale: StaleConnections, connections: ConnectionStore, sockets: Closing, clock: FakeClock
) -> None:
    now = clock.now()
    for name in ("a", "stuck", "z"):
        connected(connections, name, now, ends_at=now)
    sockets.stuck.add("stuck")
    assert stale.close(LATER) == Closed(closed=2, left=1, there=1)
    assert [one.connection_id for one in connections.list_by_tenant("acme", now)] == ["stuck"]
    sockets.stuck.clear()
    assert stale.close(LATER) == Closed(closed=1, left=0, there=0)


def test_sockets_that_take_too_long_to_close_are_left_for_another_turn(
    stale: StaleConnections,
    connections: ConnectionStore,
    sockets: Closing,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = clock.now()
    monkeypatch.setattr(stale, "_pool", OneByOne())
    monkeypatch.setattr(sockets, "close", lambda _: clock.advance(6))
    for name in ("a", "b", "c"):
        connected(connections, name, now, ends_at=now)
    assert stale.close(clock.monotonic() + 8) == Closed(closed=2, left=1, there=1)
    assert stale.close(clock.monotonic() + 8) == Closed(closed=1, left=0, there=0)


def test_a_long_table_is_gone_through_over_some_turns_each_connection_once(
    stale: StaleConnections, connections: ConnectionStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    for number in range(9):
        connected(connections, f"c-{number}", now, ends_at=now if number % 3 == 0 else now + timedelta(hours=1))
    monkeypatch.setattr(connection_store, "PAGES", 2)
    with patch.object(connections, "_client", SmallPages(connections._client, 2)):
        turns = [stale.close(LATER) for _ in range(6)]
    assert sum(turn.closed for turn in turns[:3]) == 3
    assert [turn.there for turn in turns[:3]] == [None, None, 6]
    assert [(turn.closed, turn.there) for turn in turns[3:]] == [(0, None), (0, 6), (0, None)]


@pytest.mark.parametrize("is_written", [False, True], ids=["refused", "answer lost"])
def test_a_turn_whose_place_is_not_kept_is_repeated(
    stale: StaleConnections,
    connections: ConnectionStore,
    sockets: Closing,
    clock: FakeClock,
    dynamodb: Wrapped,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_written: bool,
) -> None:
    now = clock.now()
    for number in range(3):
        connected(connections, f"c-{number}", now, ends_at=now)
    monkeypatch.setattr(connection_store, "PAGES", 1)
    with patch.object(connections, "_client", SmallPages(connections._client, 2)):
        if is_written:
            dynamodb.lose("put_item")
        else:
            dynamodb.fail("put_item", client_error("InternalServerError"))
        with pytest.raises(Unavailable):
            stale.close(LATER)
        assert 0 in [stale.close(LATER).there for _ in range(3)]
    assert sorted(sockets.closed) == ["c-0", "c-1", "c-2"]
