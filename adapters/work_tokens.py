"""The work queue: tokens in SQS that wake a worker. A token is only a hint; the log says what there is to do."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from adapters.aws import translated
from domain import exact_json
from domain.errors import InvalidJson, Unavailable
from projections.intents import Wake
from projections.turns import Turn

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

LONGEST_DELAY_S: Final = 900  # SQS's limit; what is due later is woken by the sweeper
_BATCH: Final = 10


class WorkTokens:
    """The door to the work queue."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, wakes: Iterable[Wake], now: datetime) -> int:
        """Put a token on the queue for each request due within the limit; tells how many. Sending twice is harmless."""
        delays = [(wake, max(0.0, (wake.turn.due_at - now).total_seconds())) for wake in wakes]
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {
                "Id": str(place),
                "MessageBody": body_of(wake),
                # Rounded up: a token that comes early finds its request not due and is spent.
                "DelaySeconds": -int(-delay // 1),
            }
            for place, (wake, delay) in enumerate(delays)
            if delay <= LONGEST_DELAY_S
        ]
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            with translated("send work tokens", queue=self._queue_url):
                answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=batch)
            if answer.get("Failed"):
                raise Unavailable("tokens refused", queue=self._queue_url, failed=len(answer["Failed"]))
        return len(entries)


def wake_of(body: str) -> Wake | None:
    """What a token says; None for one that is not of this release: it still tells that there may be work."""
    try:
        token = exact_json.decode(body)
        return Wake(token["request_id"], Turn.parsed(token["turn"], is_ready=token["is_ready"]))
    except (InvalidJson, TypeError, KeyError, ValueError):
        return None


def body_of(wake: Wake) -> str:
    """The token as a message."""
    return exact_json.encode({"request_id": wake.request_id, "turn": wake.turn.key, "is_ready": wake.turn.is_ready})
