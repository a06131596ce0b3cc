"""Places: where looks at a whole table have come that go on with some pages each turn, round and round.

A row of the Metrics table for each of them:

    scope  =places    minute  what is looked at
    counted                   so far in this round
    ...                       the key that the next turn starts behind; none at the beginning of the table
"""

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from adapters.aws import translated
from adapters.items import Item, from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SCOPE: Final = "=places"
_NO_KEY: Final = frozenset({"scope", "minute", "counted"})


class Place(Struct, frozen=True):
    """Behind which key of the table a turn begins, and what its round has counted so far."""

    behind: Item | None = None
    counted: int = 0


BEGINNING: Final = Place()


class Places:
    """The places of all looks. Two turns at once go on from the same one, so they count nothing twice."""

    def __init__(self, client: "DynamoDBClient", metrics_table: str) -> None:
        self._client = client
        self._table = metrics_table

    def get(self, name: str) -> Place:
        """Where a look has come."""
        with translated("find place", table=self._table, of=name):
            row = self._client.get_item(TableName=self._table, Key=_key(name)).get("Item", {})
        behind = {attribute: value for attribute, value in row.items() if attribute not in _NO_KEY}
        return Place(behind or None, int(from_item(row).get("counted", 0)))

    def keep(self, name: str, place: Place) -> None:
        """Let the next turn go on from there: once what is before it is done, so that a turn that fails is repeated."""
        row = {**_key(name), **to_item({"counted": place.counted}), **(place.behind or {})}
        with translated("keep place", table=self._table, of=name):
            self._client.put_item(TableName=self._table, Item=row)


def _key(name: str) -> Item:
    return to_item({"scope": SCOPE, "minute": name})
