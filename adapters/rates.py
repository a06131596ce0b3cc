"""The buckets of the rate limits: one row each in the Limits table, for all processes, or a number in this one.

A row is changed by one conditional update without a read before it, which expects what this process saw last: a full
bucket, or one of which some is out. One that expects wrongly is told what there is. For one `now` the arrival time in a
row only ever grows, so there are two calls at most, however many others take at the same time, and one when nobody
else did. When an answer is lost and the SDK repeats the call, the tokens are taken twice, no more.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from adapters.aws import CONDITION_FAILED, code_of, translated
from adapters.items import from_item, to_item
from domain.errors import Unavailable
from domain.instant import epoch_seconds
from domain.rate import SLACK, Rate, Taking

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

REMEMBERED: Final = 10_000  # buckets in a process, some 2 MB; of more, those that were asked for least recently go
NO_WAIT: Final = timedelta(0)
_FULL: Final = ("SET tat = :fresh, expires_at = :expires", "attribute_not_exists(tat) OR tat <= :now OR tat > :beyond")
_SOME: Final = ("SET tat = tat + :cost, expires_at = :expires", "tat > :now AND tat <= :latest")
_TRIES: Final = 4  # the third only when time to live removed the row in between


class LocalRates:
    """Buckets of this process alone: they cost nothing, and each process grants the whole rate."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._arrivals = _Arrivals(remembered)

    def take(self, name: str, rate: Rate, now: datetime, tokens: int = 1) -> timedelta:
        """Take tokens from the bucket of this name; zero, or if they are not there, how long until they would be."""
        taking = Taking(rate, now, tokens)
        known = self._arrivals.get(name)
        wait = taking.wait(known)
        if not wait:
            self._arrivals.set(name, taking.after(known))
        return wait


class SharedRates:
    """Buckets that all processes share."""

    def __init__(self, client: "DynamoDBClient", table: str, remembered: int = REMEMBERED) -> None:
        self._client = client
        self._table = table
        self._seen = _Arrivals(remembered)

    def take(self, name: str, rate: Rate, now: datetime, tokens: int = 1) -> timedelta:
        """Take tokens from the bucket of this name; zero, or if they are not there, how long until they would be."""
        taking = Taking(rate, now, tokens)
        for _ in range(_TRIES):
            # What was seen once is there at least: enough to refuse without a call.
            if wait := taking.wait(self._seen.get(name)):
                return wait
            if self._update(name, taking):
                return NO_WAIT
        raise Unavailable("the bucket keeps vanishing", bucket=name)

    def _update(self, name: str, taking: Taking) -> bool:
        """Take the tokens if the row is as it was seen; in any case, remember how it is."""
        full = taking.is_full(self._seen.get(name))
        update, condition = _FULL if full else _SOME
        values = {
            ":now": taking.present,
            ":expires": epoch_seconds(taking.now + taking.rate.burst * taking.rate.interval + SLACK),
            **({":fresh": taking.after(None), ":beyond": taking.beyond} if full else {}),
            **({} if full else {":cost": taking.cost, ":latest": taking.latest}),
        }
        with translated("take tokens", table=self._table, bucket=name):
            try:
                row: Any = self._client.update_item(
                    TableName=self._table,
                    Key={"name": {"S": name}},
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=to_item(values),
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )["Attributes"]
            except ClientError as exc:
                if code_of(exc) != CONDITION_FAILED:
                    raise
                self._seen.set(name, _arrival(exc.response.get("Item", {})))
                return False
        self._seen.set(name, _arrival(row))
        return True


class _Arrivals:
    """The arrival times that this process knows, of so many buckets."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[str, int] = OrderedDict()

    def get(self, name: str) -> int | None:
        return self._known.get(name)

    def set(self, name: str, arrival: int | None) -> None:
        if arrival is None:
            self._known.pop(name, None)
            return
        self._known[name] = arrival
        self._known.move_to_end(name)
        if len(self._known) > self._most:
            self._known.popitem(last=False)


def _arrival(row: Any) -> int | None:
    arrival: int | None = from_item(row).get("tat")
    return arrival
