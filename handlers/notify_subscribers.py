"""The stream reader that fans events out to those who watch them; latency first."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec.structs import asdict

from adapters.fan_out import FanOut
from adapters.stream_records import correlations, partial_batch_response
from domain.errors import Unavailable
from handlers import bootstrap


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Post what the records tell to whoever watches; a second delivery is harmless, clients drop what they have."""
    records = event["Records"]
    log = {"records": len(records), "correlation_ids": correlations(records)}
    try:
        posted = _fan_out().post(records)
    except Unavailable as exc:
        bootstrap.logger().warning("fan-out put off", extra={**log, "error": str(exc)})
        return partial_batch_response(records)
    bootstrap.logger().info("fanned out", extra={**log, **asdict(posted)})
    bootstrap.count("FramesPosted", posted.sent)
    bootstrap.count("FramesLeft", posted.left)
    return partial_batch_response([])


@cache
def _fan_out() -> FanOut:
    return FanOut(
        bootstrap.subscriptions(), bootstrap.connections(), bootstrap.broadcast(), bootstrap.CLOCK, bootstrap.THREADS
    )
