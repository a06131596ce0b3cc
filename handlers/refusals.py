"""The error frame that a refused frame is answered with."""

from domain.errors import Rejected
from domain.protocol import Error


def refusal(error: Rejected, frame_id: str | None, request_id: str | None) -> Error:
    """The error frame that tells a client why its frame was refused."""
    context = {
        name: value if isinstance(value, int) else str(value)
        for name, value in error.context.items()
        if name in ("status", "attempt", "limit", "per_second", "burst", "most")
    }
    retry_after = error.context.get("retry_after_ms")
    return Error(
        id=frame_id,
        request_id=request_id,
        code=error.code,
        message=error.told,
        details=context or None,
        retry_after_ms=retry_after,
    )
