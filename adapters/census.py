"""The census: how much there is of everything, of all tenants together, for operators.

What waits and what runs is counted in the index, up to some pages of each status: of more it is told as at least so
much. Subscriptions have no such index. Their table is counted some pages a turn, and told whenever its end is reached:
each turn, until there are more than those pages hold.
"""

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from adapters.aws import translated
from adapters.places import BEGINNING, Place, Places
from adapters.status_index import StatusIndex
from projections.gauges import STATUSES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PLACE: Final = "subscriptions"
PAGES: Final = 4  # of 1 MB, in a turn: of subscriptions, and of each status; 128 read units each


class Counted(Struct, frozen=True):
    """What there is; no subscriptions in a turn that has not come to the end of their table."""

    queued: int
    running: int
    subscriptions: int | None


class Census:
    """Counts."""

    def __init__(
        self, client: "DynamoDBClient", subscriptions_table: str, statuses: StatusIndex, places: Places
    ) -> None:
        self._client = client
        self._subscriptions = subscriptions_table
        self._statuses = statuses
        self._places = places

    def take(self) -> Counted:
        """One turn. Taken twice it counts nothing twice: each turn goes on from what the one before has kept."""
        counts = {
            name: sum(self._statuses.count(status, PAGES) for status in statuses) for name, statuses in STATUSES.items()
        }
        return Counted(**counts, subscriptions=self._count_subscriptions())

    def _count_subscriptions(self) -> int | None:
        place = self._places.get(PLACE)
        counted, start = place.counted, place.behind
        for _ in range(PAGES):
            more: Any = {"ExclusiveStartKey": start} if start else {}
            with translated("take census", table=self._subscriptions):
                page = self._client.scan(TableName=self._subscriptions, Select="COUNT", **more)
            counted += page["Count"]
            start = page.get("LastEvaluatedKey")
            if start is None:
                break
        now = BEGINNING if start is None else Place(start, counted)
        if now != place:
            self._places.keep(PLACE, now)
        return counted if start is None else None
