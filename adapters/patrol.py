"""The patrol: requests whose views are behind their logs, found a few each turn, so that none is behind for ever.

First those at the front of each status: a view that missed the end of a request shows it there, overdue, again and
again. Then a page of the whole log, round and round: it finds what nothing else would, a request whose very submission
was lost with the stream, which is in no view and has no token. A page is 1 MB at most, 128 read units, however long the
log is. Where the patrol has come is a row of the Metrics table:

    scope  =patrol    minute  place
    request_id, after               the key that the next turn starts behind; none at the beginning of the table
"""

from typing import TYPE_CHECKING, Any, Final

from adapters.aws import translated
from adapters.items import from_item, to_item
from adapters.reconciler import Reconciled, Reconciler
from adapters.status_index import StatusIndex
from domain.state import Status

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEY: Final = {"scope": "=patrol", "minute": "place"}
FRONT: Final = 20  # requests of each status that a turn looks at


class Patrol:
    """Walks through the log."""

    def __init__(
        self,
        client: "DynamoDBClient",
        events_table: str,
        metrics_table: str,
        statuses: StatusIndex,
        reconciler: Reconciler,
    ) -> None:
        self._client = client
        self._events = events_table
        self._metrics = metrics_table
        self._statuses = statuses
        self._reconciler = reconciler

    def walk(self) -> Reconciled:
        """One turn. The place is kept after what was found is repaired: a turn that fails is walked again."""
        reconciled = Reconciled()
        self._front(reconciled)
        with translated("patrol", table=self._events):
            page = self._client.scan(TableName=self._events, **self._place())
        self._reconciler.look_at(page["Items"], reconciled)
        self._keep(page.get("LastEvaluatedKey"))
        return reconciled

    def _front(self, reconciled: Reconciled) -> None:
        for status in (Status.PENDING, Status.PROCESSING, Status.RETRYING):
            entries, _ = self._statuses.in_status(status, FRONT, None)
            self._reconciler.check([entry.request_id for entry in entries], reconciled)

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
