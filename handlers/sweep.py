"""The sweeper's Lambda, each minute."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from aws_lambda_powertools.metrics import MetricUnit
from msgspec.structs import asdict

from adapters.stale_connections import StaleConnections
from adapters.sweeper import Sweeper
from handlers import bootstrap

TOLD_AS_IT_IS: Final = frozenset({"oldest_queued_s", "connections"})  # also when it is nothing


def handler(event: Mapping[str, Any], context: object) -> dict[str, int | None]:  # noqa: ARG001 - Lambda's signature
    """Find what was lost and set it going again."""
    swept = asdict(_sweeper().sweep())
    bootstrap.logger().info("swept", extra=swept)
    bootstrap.gauge("OldestQueued", swept["oldest_queued_s"], MetricUnit.Seconds)
    for name, value in swept.items():
        if name not in TOLD_AS_IT_IS:
            bootstrap.count("".join(word.capitalize() for word in name.split("_")), value)
    reconciled = bootstrap.patrol().walk()
    bootstrap.logger().info("patrolled", extra=asdict(reconciled))
    bootstrap.count("ViewsRepaired", reconciled.repaired)
    bootstrap.gauge("FailuresKept", bootstrap.quarantine().kept())
    there = {**asdict(bootstrap.census().take()), "connections": swept["connections"]}
    for name, value in there.items():
        if value is not None:
            bootstrap.gauge(name.capitalize(), value)
    return swept


@cache
def _sweeper() -> Sweeper:
    return Sweeper(
        bootstrap.queue(),
        bootstrap.request_view(),
        bootstrap.work_tokens(),
        StaleConnections(
            bootstrap.connections(), bootstrap.sockets(), bootstrap.places(), bootstrap.CLOCK, bootstrap.THREADS
        ),
        lambda action: bootstrap.registry().retry_policy(action),  # loads the actions when a lease is over
        bootstrap.CLOCK,
    )
