"""What a worker does to a request, done by the queue itself."""

from typing import Any

from domain.commands import Start
from handlers import bootstrap


def started(request_id: str) -> None:
    """Let a worker have the request."""
    now = bootstrap.CLOCK.now()
    command = Start(now=now, worker_id="w", lease_until=now + bootstrap.lease())
    bootstrap.queue().execute(command, bootstrap.queue().get(request_id))


def completed(request_id: str, result: Any) -> None:
    """Let a worker complete the request."""
    started(request_id)
    bootstrap.queue().complete(bootstrap.queue().get(request_id), 1, result)
