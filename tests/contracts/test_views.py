"""Rows move on by one version at a time, counts change with them or not at all, and a repeat changes nothing."""

import pytest

from adapters.views import Behind, Views
from projections.intents import Add, Once, Put, View
from tests.adapters.racing import race
from tests.contracts.asking import views_of
from tests.contracts.backends import Tables


@pytest.fixture
def views(tables: Tables) -> Views:
    return views_of(tables)


def moved(request_id: str, after: int, **attributes: str | None) -> Put:
    """A row that goes on from a version to the next."""
    return Put(View.REQUESTS, {"request_id": request_id}, {"version": after + 1, **attributes}, after=after)


def counted(scope: str, count: int = 1) -> Add:
    return Add(View.METRICS, {"scope": scope, "minute": "2026-11-22T08:24"}, {"submitted": count})


def counts(tables: Tables, scope: str) -> list[str]:
    return [row["submitted"]["N"] for row in tables.rows("Metrics") if row["scope"] == {"S": scope}]


def versions(views: Views, request_ids: list[str]) -> dict[str, int]:
    return {request_id: cursor.version for request_id, cursor in views.cursors(request_ids).items()}


class ViewsContract:
    """What the view tables must do."""

    def test_a_row_moves_on_from_exactly_the_version_it_has(self, views: Views, name: str) -> None:
        for after in (1, 0, 0, 2, 1, 1):
            fits = after == views.cursors([name])[name].version
            if fits:
                views.update([moved(name, after)])
                continue
            with pytest.raises(Behind) as caught:
                views.update([moved(name, after)])
            context = caught.value.context
            found = views.cursors([name])[name].version
            assert (context["keys"], context["expected"]) == ([{"request_id": name}], [after])
            assert context["actual"] == [found or None]
        assert views.cursors([name])[name].version == 2

    def test_an_attribute_that_is_none_goes_and_one_that_is_not_named_stays(
        self, views: Views, tables: Tables, name: str
    ) -> None:
        views.update([moved(name, 0, status="PENDING", user_id="ann", connection_id="c")])
        views.update([moved(name, 1, status="PROCESSING", connection_id=None)])
        row = next(row for row in tables.rows("Requests") if row["request_id"] == {"S": name})
        told = {"request_id": {"S": name}, "version": {"N": "2"}}
        assert row == {**told, "status": {"S": "PROCESSING"}, "user_id": {"S": "ann"}}

    def test_many_rows_move_on_each_by_itself(self, views: Views, tables: Tables, name: str) -> None:
        rows = [f"{name}-{n:02}" for n in range(30)]
        views.update([moved(row, 0, status="PENDING", connection_id="c") for row in rows])
        views.update([moved(row, 1, status="PROCESSING", connection_id=None) for row in rows])
        assert versions(views, rows) == dict.fromkeys(rows, 2)
        found = [row for row in tables.rows("Requests") if row["request_id"]["S"] in rows]
        assert [row["status"]["S"] for row in found] == ["PROCESSING"] * 30
        assert not any("connection_id" in row for row in found)

    def test_of_many_rows_those_at_another_version_stay_and_are_told(self, views: Views, name: str) -> None:
        ahead, ready, absent, new = (f"{name}-{n}" for n in range(4))
        views.update([moved(ahead, 0), moved(ready, 0)])
        views.update([moved(ahead, 1)])
        batch = [moved(ahead, 1), moved(ready, 1), moved(absent, 4), moved(new, 0)]
        for delivery in ("first", "second"):
            with pytest.raises(Behind) as caught:
                views.update(batch)
            behind = [ahead, absent] if delivery == "first" else [new]
            assert [key["request_id"] for key in caught.value.context["keys"]] == behind
            found = [2, None] if delivery == "first" else [1]
            assert caught.value.context["actual"] in (
                found,
                [None] * len(found),
            )  # DynamoDB Local does not tell it here
        assert versions(views, [ahead, ready, absent, new]) == {ahead: 2, ready: 2, absent: 0, new: 1}

    def test_a_row_moves_with_its_counts_or_not_at_all(self, views: Views, tables: Tables, name: str) -> None:
        views.commit([moved(name, 0), counted(name)])
        with pytest.raises(Behind) as caught:
            views.commit([moved(name, 0), counted(name)])
        assert caught.value.context["keys"] == [{"request_id": name}]
        assert counts(tables, name) == ["1"]
        assert views.cursors([name])[name].version == 1

    def test_only_the_rows_that_moved_are_named(self, views: Views, name: str) -> None:
        views.update([moved(f"{name}-b", 0)])
        with pytest.raises(Behind) as caught:
            views.commit([moved(f"{name}-a", 0), moved(f"{name}-b", 0), counted(name)])
        assert caught.value.context["keys"] == [{"request_id": f"{name}-b"}]
        assert (caught.value.context["expected"], caught.value.context["actual"]) == ([0], [1])
        assert versions(views, [f"{name}-a", f"{name}-b"]) == {f"{name}-a": 0, f"{name}-b": 1}

    def test_what_is_written_once_lets_its_counts_in_once(self, views: Views, tables: Tables, name: str) -> None:
        mark = Once(View.AUDIT, {"day": name, "entry": "e"}, {"type": "ConnectionOpened"})
        views.commit([mark, counted(name, 3)])
        with pytest.raises(Behind):
            views.commit([mark, counted(name, 3)])
        assert counts(tables, name) == ["3"]

    def test_of_many_that_move_a_row_at_once_exactly_one_counts(self, views: Views, tables: Tables, name: str) -> None:
        def commit() -> bool:
            try:
                views.commit([moved(name, 0), counted(name)])
            except Behind:
                return False
            return True

        assert sum(race([commit] * 4, tables.client, before="transact_write_items")) == 1
        assert counts(tables, name) == ["1"]

    def test_more_rows_than_one_batch_takes_are_all_overwritten(self, views: Views, tables: Tables, name: str) -> None:
        for text in ("old", "new"):
            views.overwrite([Put(View.AUDIT, {"day": name, "entry": f"{n:03}"}, {"detail": text}) for n in range(60)])
        rows = [row for row in tables.rows("Audit") if row["day"] == {"S": name}]
        assert [row["entry"]["S"] for row in rows] == [f"{n:03}" for n in range(60)]
        assert {row["detail"]["S"] for row in rows} == {"new"}

    def test_cursors_of_more_rows_than_one_batch_takes_are_all_found(self, views: Views, name: str) -> None:
        ids = [f"{name}-{n}" for n in range(130)]
        for request_id in ids[::10]:
            views.update([moved(request_id, 0)])
        assert versions(views, ids) == {request_id: int(n % 10 == 0) for n, request_id in enumerate(ids)}
