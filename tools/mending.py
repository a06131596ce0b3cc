"""Mending what a comparison found: each write is guarded, so that traffic which goes on is never undone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws import CONDITION_FAILED, code_of, translated
from adapters.clock import Clock
from adapters.items import to_item
from domain.errors import NotFound, Undecodable
from projections.gauges import NOW
from projections.intents import Add, View
from tools.building import REQUESTS
from tools.operated import Operated
from tools.parity import Difference


@dataclass(slots=True)
class Mended:
    """How many rows were made what the log says, and how many had moved meanwhile or cannot be mended."""

    mended: int = 0
    left: int = 0


def mend(stack: Operated, found: Sequence[Difference], clock: Clock) -> Mended:
    """Make every row that differs what the log says."""
    mended = Mended()
    for difference in found:
        if difference.add:
            _add(stack, difference)
            mended.mended += 1
        elif difference.behind:
            behind = catch_up(stack, [difference.request_id or ""], clock)
            mended.mended += behind
            mended.left += 1 - behind
        elif difference.is_readable and _rewrite(stack, difference):
            mended.mended += 1
        else:
            mended.left += 1
    return mended


def catch_up(stack: Operated, request_ids: Iterable[str], clock: Clock) -> int:
    """Bring the views of requests up to their logs, as their stream records would have; how many that were."""
    newest = []
    for request_id in request_ids:
        try:
            newest.append(stack.events.get(request_id, stack.events.head(request_id).version))
        except (NotFound, Undecodable):
            continue
    outcome = stack.projector(clock).catch_up(newest)
    if outcome.error:
        raise outcome.error
    return len(newest) - outcome.quarantined


def _add(stack: Operated, difference: Difference) -> None:
    """Add what is missing or too much: that commutes with what the traffic adds, and happens once or not at all."""
    scope, minute = difference.key
    attributes: Any = {} if minute == NOW else difference.put or {}
    intent = Add(View.METRICS, {"scope": scope, "minute": minute}, difference.add, attributes)
    stack.views.commit([intent])


def _rewrite(stack: Operated, difference: Difference) -> bool:
    """Put the row in the place of the one that was compared, if that is still there; False if it is not."""
    view = View.REQUESTS if difference.view == REQUESTS else View.AUDIT
    names = ("request_id",) if view is View.REQUESTS else ("day", "entry")
    guard = _same_as(difference)
    write: dict[str, Any] = {"TableName": stack.tables[view.value], **guard}
    with translated("mend row", table=stack.tables[view.value], **dict(zip(names, difference.key, strict=True))):
        try:
            if difference.put is not None:
                stack.dynamodb.put_item(**write, Item=to_item(difference.put))
            else:
                stack.dynamodb.delete_item(**write, Key=to_item(dict(zip(names, difference.key, strict=True))))
        except ClientError as exc:
            if code_of(exc) != CONDITION_FAILED:
                raise
            return False
    return True


def _same_as(difference: Difference) -> dict[str, Any]:
    """The condition that the row is still the one that was compared, or still not there."""
    row = difference.is_row
    guard = "version" if difference.view == REQUESTS else "detail"
    key = "request_id" if difference.view == REQUESTS else "day"
    if row is None:
        return {"ConditionExpression": "attribute_not_exists(#key)", "ExpressionAttributeNames": {"#key": key}}
    names = {"#guard": guard}
    if row.get(guard) is None:
        return {"ConditionExpression": "attribute_not_exists(#guard)", "ExpressionAttributeNames": names}
    return {
        "ConditionExpression": "#guard = :was",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_item({":was": row[guard]}),
    }
