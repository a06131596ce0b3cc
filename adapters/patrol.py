"""The patrol: requests whose views are behind their logs, found a few each turn, so that none is behind for ever.

First those at the front of each status: a view that missed the end of a request shows it there, overdue, again and
again. Then a page of the whole log, round and round: it finds what nothing else would, a request whose very submission
was lost with the stream, which is in no view and has no token. A page is 1 MB at most, 128 read units, however long the
log is.
"""

from typing import TYPE_CHECKING, Any, Final

from adapters.aws import translated
from adapters.places import Place, Places
from adapters.reconciler import Reconciled, Reconciler
from adapters.status_index import StatusIndex
from domain.state import Status

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PLACE: Final = "log"
FRONT: Final = 20  # requests of each status that a turn looks at


class Patrol:
    """Walks through the log."""

    def __init__(
        self,
        client: "DynamoDBClient",
        events_table: str,
        statuses: StatusIndex,
        reconciler: Reconciler,
        places: Places,
    ) -> None:
        self._client = client
        self._events = events_table
        self._statuses = statuses
        self._reconciler = reconciler
        self._places = places

    def walk(self) -> Reconciled:
        """One turn. The place is kept after what was found is repaired: a turn that fails is walked again."""
        reconciled = Reconciled()
        self._front(reconciled)
        behind = self._places.get(PLACE).behind
        more: Any = {"ExclusiveStartKey": behind} if behind else {}
        with translated("patrol", table=self._events):
            page = self._client.scan(TableName=self._events, **more)
        self._reconciler.look_at(page["Items"], reconciled)
        self._places.keep(PLACE, Place(page.get("LastEvaluatedKey")))
        return reconciled

    def _front(self, reconciled: Reconciled) -> None:
        for status in (Status.PENDING, Status.PROCESSING, Status.RETRYING):
            entries, _ = self._statuses.in_status(status, FRONT, None)
            self._reconciler.check([entry.request_id for entry in entries], reconciled)
