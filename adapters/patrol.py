"""The patrol: a page of the whole log each turn, round and round, so that no request is behind its log for ever.

It finds what nothing else would: a request whose very submission was lost with the stream is in no view and has no
token. A turn reads at most a page (1 MB, 128 read units), however long the log is. Where it has come is a row of the
Metrics table:

    scope  =patrol    minute  place
    request_id, after               the key that the next turn starts behind; none at the beginning of the table
"""

from typing import TYPE_CHECKING, Any, Final

from adapters.aws import translated
from adapters.items import from_item, to_item
from adapters.reconciler import Reconciled, Reconciler

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY: Final = {"scope": "=patrol", "minute": "place"}


class Patrol:
    """Walks through the log."""

    def __init__(
        self, client: "DynamoDBClient", events_table: str, metrics_table: str, reconciler: Reconciler
    ) -> None:
        self._client = client
        self._events = events_table
        self._metrics = metrics_table
        self._reconciler = reconciler

    def walk(self) -> Reconciled:
        """One turn. The place is kept after what was found is repaired: a turn that fails is walked again."""
        reconciled = Reconciled()
        with translated("patrol", table=self._events):
            page = self._client.scan(TableName=self._events, **self._place())
        self._reconciler.look_at(page["Items"], reconciled)
        self._keep(page.get("LastEvaluatedKey"))
        return reconciled

    def _place(self) -> Any:
        with translated("patrol", table=self._metrics):
            found = self._client.get_item(TableName=self._metrics, Key=to_item(KEY)).get("Item")
        place = from_item(found) if found else {}
        if "request_id" not in place:
            return {}
        return {"ExclusiveStartKey": to_item({"request_id": place["request_id"], "version": place["after"]})}

    def _keep(self, key: Any) -> None:
        place = from_item(key) if key else {}
        row = to_item({**KEY, "request_id": place.get("request_id"), "after": place.get("version")})
        with translated("patrol", table=self._metrics):
            self._client.put_item(TableName=self._metrics, Item=row)
