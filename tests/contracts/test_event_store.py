"""The log is append-only: a version is written once, a writer knows its own write again, and reads are whole."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.event_store import LARGEST_EVENT, EventStore, to_row
from adapters.request_queue import RequestQueue
from domain.errors import Conflict, InvalidValue, NotFound, PayloadTooLarge, Undecodable
from domain.events import OutputAppended
from domain.recorded import Head, first_break
from tests.adapters.racing import race
from tests.contracts.backends import Tables
from tests.contracts.logs import BAD_IDS, NUMBERS, first, log
from tests.kit.clock import FakeClock

UNSEEN: Any = None  # a view and a bucket that nothing here asks


class EventStoreContract:
    """What every event store must do."""

    def test_what_was_appended_is_read_as_it_was(self, events: EventStore, name: str) -> None:
        recorded = log(events, name, 4, chunk={"text": "ü \u2028 \x00"})
        assert list(events.read(name)) == recorded
        assert events.get(name, 3) == recorded[2]
        assert events.head(name) == Head.of(recorded[-1])
        assert first_break(events.read(name)) is None

    def test_an_event_as_large_as_a_row_may_be_is_kept_and_a_larger_one_refused_by_its_field(
        self, events: EventStore, name: str
    ) -> None:
        event = first(name)
        room = LARGEST_EVENT - len(event.state) - len('""')
        largest = replace(event, data=f'"{"x" * room}"')
        for too_large in (replace(event, data=f'"{"x" * (room + 1)}"'), replace(event, data="\u00e9" * room)):
            with pytest.raises(PayloadTooLarge) as caught:
                events.append(too_large)
            assert caught.value.context == {"field": "data"}
            assert events.head(name).version == 0
        events.append(largest)
        assert events.get(name, 1) == largest

    def test_numbers_keep_their_value(self, events: EventStore, name: str) -> None:
        log(events, name, 3, chunk=NUMBERS)
        output = events.get(name, 3).event()
        assert isinstance(output, OutputAppended)
        assert output.chunk == NUMBERS

    def test_a_second_writer_of_a_version_conflicts_and_is_told_whose_event_is_there(
        self, events: EventStore, name: str
    ) -> None:
        events.append(first(name, "mine"))
        with pytest.raises(Conflict) as caught:
            events.append(first(name, "other"))
        told = caught.value.context
        assert told["table"]
        assert {**told, "table": ""} == {
            "operation": "append",
            "table": "",
            "request_id": name,
            "expected_version": 0,
            "actual_version": 1,
            "found": "mine",
        }
        assert events.get(name, 1).event_id == "mine"

    def test_a_writer_that_repeats_its_own_write_has_written_once(self, events: EventStore, name: str) -> None:
        events.append(first(name))
        events.append(first(name))
        assert list(events.read(name)) == [first(name)]

    def test_a_request_that_is_not_there_has_an_empty_log(self, events: EventStore, name: str) -> None:
        assert events.head(name) == Head(name)
        assert list(events.read(name)) == []
        with pytest.raises(NotFound):
            events.get(name, 1)

    def test_the_newest_event_is_found_by_number_and_not_by_text(self, events: EventStore, name: str) -> None:
        log(events, name, 11)
        assert events.head(name).version == 11

    @pytest.mark.parametrize(
        ("after", "limit", "versions"),
        [
            *((0, None, [1, 2, 3, 4, 5]), (3, None, [4, 5]), (1, 2, [2, 3]), (4, 9, [5])),
            *((5, None, []), (9, 3, [])),
        ],
    )
    def test_reading_goes_on_after_a_version_up_to_a_limit(
        self, events: EventStore, name: str, after: int, limit: int | None, versions: list[int]
    ) -> None:
        log(events, name, 5)
        assert [event.version for event in events.read(name, after, limit)] == versions

    @pytest.mark.parametrize("limit", [None, 7, 20])
    def test_a_log_of_more_than_one_page_is_read_to_its_end(
        self, events: EventStore, name: str, limit: int | None
    ) -> None:
        recorded = log(events, name, 9, chunk="x" * 300_000)
        assert list(events.read(name, limit=limit)) == recorded[:limit]

    @pytest.mark.parametrize("request_id", BAD_IDS)
    def test_what_is_no_request_id_is_refused_by_its_field(self, events: EventStore, request_id: str) -> None:
        for call in (
            lambda: events.append(replace(first("r1"), request_id=request_id)),
            lambda: events.head(request_id),
            lambda: events.get(request_id, 1),
            lambda: list(events.read(request_id)),
        ):
            with pytest.raises(InvalidValue) as caught:
                call()
            assert caught.value.context == {"field": "request_id"}


class EventTableContract:
    """What every table of events must do."""

    def test_of_many_that_append_one_version_exactly_one_wins(
        self, events: EventStore, tables: Tables, name: str
    ) -> None:
        def append(event_id: str) -> bool:
            try:
                events.append(first(name, event_id))
            except Conflict:
                return False
            return True

        writers = [partial(append, f"e{n}") for n in range(8)]
        won = race(writers, tables.client, before="put_item")
        assert sum(won) == 1
        assert events.get(name, 1).event_id == f"e{won.index(True)}"

    def test_no_more_is_read_than_is_asked_for(self, events: EventStore, tables: Tables, name: str) -> None:
        log(events, name, 9, chunk="x" * 300_000)
        before = tables.client.count("query")
        next(events.read(name))
        assert tables.client.count("query") == before + 1

    def test_an_unreadable_row_is_told_as_such(self, events: EventStore, tables: Tables, name: str) -> None:
        row = {"request_id": {"S": name}, "version": {"N": "1"}, "type": {"S": "RequestSubmitted"}}
        tables.client.put_item(TableName=tables.names["Events"], Item=row)
        for read in (lambda: events.head(name), lambda: events.get(name, 1), lambda: list(events.read(name))):
            with pytest.raises(Undecodable) as caught:
                read()
            assert caught.value.context == {"field": "event_id", "request_id": name}

    @pytest.mark.parametrize("schema", ["0", "-1", "2", "99"])
    def test_a_row_of_a_schema_that_this_code_does_not_know_is_told_and_nothing_follows_it(
        self, events: EventStore, tables: Tables, name: str, schema: str
    ) -> None:
        row = {**to_row(first(name)), "schema": {"N": schema}}
        tables.client.put_item(TableName=tables.names["Events"], Item=row)
        queue = RequestQueue(events, UNSEEN, UNSEEN, FakeClock(), timedelta(days=7))
        for read in (
            lambda: events.head(name),
            lambda: events.get(name, 1),
            lambda: list(events.read(name)),
            lambda: queue.get(name),
            lambda: queue.expire(name),
        ):
            with pytest.raises(Undecodable) as caught:
                read()
            assert caught.value.context == {"field": "schema", "schema": int(schema), "request_id": name}
        assert [one for one in tables.rows("Events") if one["request_id"] == {"S": name}] == [row]
