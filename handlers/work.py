"""The worker's Lambda: a token wakes it, the log tells it what to do."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, Final, Protocol

from adapters.work_tokens import wake_of
from adapters.worker import Worker
from domain.errors import AlreadyFinal, AttemptOver, Unavailable
from handlers import bootstrap
from projections.intents import Wake

RESERVE: Final = timedelta(seconds=10)  # of the function's time, to write how the attempt ended
_NO_LONGER_ITS: Final = (AttemptOver, AlreadyFinal)


class LambdaContext(Protocol):
    """What Lambda tells of an invocation."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """How long this invocation may still run."""


def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run one request for each token; a token is delivered again only if the world below failed."""
    failed = []
    for record in event["Records"]:
        try:
            _run(record, context)
        except Unavailable as exc:
            bootstrap.logger().warning("token put back", extra={"error": str(exc)})
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _run(record: Mapping[str, Any], context: LambdaContext) -> None:
    limit = timedelta(milliseconds=context.get_remaining_time_in_millis()) - RESERVE
    # One invocation and one token stand for one claim: a message delivered twice is two.
    done = _worker().run(_hint(record), f"{context.aws_request_id}/{record['messageId']}", limit)
    if done is None:
        bootstrap.logger().info("nothing to run")
        return
    about = {
        "request_id": done.head.request_id,
        "correlation_id": done.head.origin.correlation_id if done.head.origin else None,
        "status": done.head.state.status,
        "attempt": done.head.state.attempt,
    }
    if done.ended.cause and not isinstance(done.ended.cause, _NO_LONGER_ITS):
        bootstrap.logger().error("action ended unexpectedly", extra=about, exc_info=done.ended.cause)
    else:
        bootstrap.logger().info("action ended", extra=about)


def _hint(record: Mapping[str, Any]) -> Wake | None:
    wake = wake_of(record["body"])
    if wake is None:
        bootstrap.logger().warning("unreadable token", extra={"message_id": record["messageId"]})
    return wake


@cache
def _worker() -> Worker:
    return Worker(
        bootstrap.queue(),
        bootstrap.registry(),
        bootstrap.objects,
        bootstrap.tenant_views,
        bootstrap.work_tokens(),
        bootstrap.CLOCK,
        bootstrap.lease(),
        bootstrap.THREADS,
    )
