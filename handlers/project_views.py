"""The stream reader that keeps the views: requests, audit and metrics, and wakes workers."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from adapters.presence_projector import PresenceProjector
from adapters.stream_records import Record, correlations, partial_batch_response, table_of
from adapters.view_projector import Outcome
from handlers import bootstrap
from handlers.settings import settings
from projections import histogram, metrics


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Bring the views up to the records; answer with the first record that must be delivered again."""
    records: Sequence[Record] = event["Records"]
    outcome = _project(records)
    log = {
        "table": table_of(records[0]),
        "records": len(records),
        "not_handled": len(outcome.not_handled),
        "correlation_ids": correlations(records),
    }
    if outcome.error:
        bootstrap.logger().warning("views are behind", extra={**log, "error": str(outcome.error)})
    else:
        bootstrap.logger().info("views are up to date", extra=log)
    bootstrap.count("RecordsQuarantined", outcome.quarantined)
    _tell_operators(outcome)
    return partial_batch_response(outcome.not_handled)


def _tell_operators(outcome: Outcome) -> None:
    """The counts that were just added to the metrics view, for CloudWatch: each once, unless this process dies here."""
    for action, counted in outcome.counted.items():
        counts = {name.capitalize(): counted[name] for name in metrics.NAMES if counted[name]}
        durations = {f"{name.capitalize()}Time": histogram.values(name, counted) for name in metrics.DURATIONS}
        bootstrap.count_action(action, counts, durations)


def _project(records: Sequence[Record]) -> Outcome:
    if table_of(records[0]) == settings().events_table:
        return bootstrap.projector().project(records)
    return _presence().project(records)


@cache
def _presence() -> PresenceProjector:
    return PresenceProjector(
        bootstrap.views(), bootstrap.subscriptions(), bootstrap.quarantine(), settings().subscriptions_table
    )
