"""The census: how much there is of everything, of all tenants together, for operators.

What waits and what runs is counted in the index, up to some pages of each status: of more it is told as at least so
much. Subscriptions have no such index. Their table is counted some pages a turn, and told whenever its end is reached:
each turn, until there are more than those pages hold. Where the count has come is a row of the Metrics table then:

    scope  =census    minute  subscriptions
    counted                         so far in this round
    topic, connection_id            the key that the next turn starts behind; none at the beginning of the table
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from adapters.aws import translated
from adapters.items import from_item, to_item
from adapters.status_index import StatusIndex
from projections.gauges import STATUSES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY: Final = {"scope": "=census", "minute": "subscriptions"}
PAGES: Final = 4  # of 1 MB, in a turn: of subscriptions, and of each status; 128 read units each


class Counted(Struct, frozen=True):
    """What there is; no subscriptions in a turn that has not come to the end of their table."""

    queued: int
    running: int
    subscriptions: int | None


class Census:
    """Counts."""

    def __init__(
        self, client: "DynamoDBClient", subscriptions_table: str, metrics_table: str, statuses: StatusIndex
    ) -> None:
        self._client = client
        self._subscriptions = subscriptions_table
        self._metrics = metrics_table
        self._statuses = statuses

    def take(self) -> Counted:
        """One turn. Taken twice it counts nothing twice: each turn goes on from what the one before has kept."""
        counts = {
            name: sum(self._statuses.count(status, PAGES) for status in statuses) for name, statuses in STATUSES.items()
        }
        return Counted(**counts, subscriptions=self._count_subscriptions())

    def _count_subscriptions(self) -> int | None:
        with translated("take census", table=self._metrics):
            found = from_item(self._client.get_item(TableName=self._metrics, Key=to_item(KEY)).get("Item", {}))
        counted = int(found.get("counted", 0))
        has_begun = "topic" in found
        start: Any = to_item({name: found[name] for name in ("topic", "connection_id")}) if has_begun else None
        for _ in range(PAGES):
            more = {"ExclusiveStartKey": start} if start else {}
            with translated("take census", table=self._subscriptions):
                page = self._client.scan(TableName=self._subscriptions, Select="COUNT", **more)
            counted += page["Count"]
            start = page.get("LastEvaluatedKey")
            if start is None:
                if has_begun:
                    self._keep({"counted": 0})
                return counted
        self._keep({**from_item(start), "counted": counted})
        return None

    def _keep(self, place: Mapping[str, Any]) -> None:
        with translated("take census", table=self._metrics):
            self._client.put_item(TableName=self._metrics, Item=to_item({**KEY, **place}))
