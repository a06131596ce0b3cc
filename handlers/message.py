"""$default: answer one frame of a client."""

from collections.abc import Mapping
from typing import Any

from domain.errors import ErrorCode, Gone, Rejected, Unauthorized, Unavailable
from domain.identity import Identity
from domain.protocol import Error, ServerFrame, client_frame, frame_object
from handlers import bootstrap, limits
from handlers.callers import identity_of
from handlers.refusals import refusal
from handlers.replies import Caller, Replies, bounded


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001 - Lambda's signature
    """Answer the frame over its own socket; nothing that a client sends raises."""
    about = event["requestContext"]
    frame_id: str | None = None
    request_id: str | None = None
    try:
        frame = frame_object(event.get("body") or "")
        frame_id, request_id = _text(frame.get("id")), _text(frame.get("request_id"))
        reply = bounded(answer(frame, identity_of(event), about), frame_id)
    except Rejected as exc:
        bootstrap.logger().info(
            "frame refused", extra={"code": exc.code, "frame_id": frame_id, "error": type(exc).__name__}
        )
        reply = refusal(exc, frame_id, request_id)
        if isinstance(exc, Unauthorized):
            send(about["connectionId"], reply)
            close(about["connectionId"])
            return {"statusCode": 200}
    except Exception:  # noqa: BLE001 - the last line of defence: the client gets an answer, the log the trace
        bootstrap.logger().exception("frame failed", extra={"frame_id": frame_id})
        reply = Error(id=frame_id, request_id=request_id, code=ErrorCode.INTERNAL_ERROR, message="Something went wrong")
    send(about["connectionId"], reply)
    return {"statusCode": 200}


def answer(frame: Mapping[str, Any], identity: Identity, about: Mapping[str, Any]) -> ServerFrame:
    """The reply to a frame; a Rejected error when the rules forbid what it asks for."""
    now = bootstrap.CLOCK.now()
    identity.require_alive(now)
    cause = about.get("messageId") or about.get("requestId") or ""
    source_ip = (about.get("identity") or {}).get("sourceIp") or ""
    caller = Caller(identity, about["connectionId"], source_ip, cause, now)
    asked = client_frame(frame)
    limits.admit(asked, identity.tenant_id, caller.connection_id, now)
    return Replies(caller).to(asked)


def send(connection_id: str, reply: ServerFrame) -> None:
    """Post the reply; a client that has gone meanwhile needs none."""
    try:
        bootstrap.sockets().post(connection_id, reply.encode())
    except Gone:
        bootstrap.logger().debug("gone before the reply", extra={"connection_id": connection_id})
    except Unavailable as exc:
        # What was asked for is done; a client that hears nothing asks again, and repeats are harmless.
        bootstrap.logger().warning("reply lost", extra={"connection_id": connection_id, "error": str(exc)})


def close(connection_id: str) -> None:
    """Close a socket whose token has ended."""
    try:
        bootstrap.sockets().close(connection_id)
    except Gone:
        bootstrap.logger().debug("already closed", extra={"connection_id": connection_id})
    except Unavailable as exc:
        bootstrap.logger().warning("not closed", extra={"connection_id": connection_id, "error": str(exc)})


def _text(value: object) -> str | None:
    return value[:128] if isinstance(value, str) else None
