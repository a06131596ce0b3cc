"""The wire protocol: every frame that a client may send and every frame that it may get, as one schema.

Server, client libraries and docs all use it. The frames are in `client_frames` and `server_frames`; here is how text
becomes one of them.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

from domain import exact_json
from domain.client_frames import (
    MAX_BATCH,
    MAX_DELAY,
    MAX_VERSION,
    Actions,
    Audit,
    Cancel,
    ClientFrame,
    Explain,
    Get,
    History,
    List,
    Metrics,
    Ping,
    Submit,
    SubmitBatch,
    Subscribe,
    Unsubscribe,
)
from domain.errors import InvalidFrame, InvalidJson, PayloadTooLarge
from domain.reading import read
from domain.server_frames import (
    FRAME_LIMIT,
    FRAME_TARGET,
    Ack,
    Acks,
    ActionShown,
    ActionsPage,
    AnyServerFrame,
    AuditPage,
    Error,
    EventPush,
    EventShown,
    EventsPush,
    Explanation,
    HistoryPage,
    MetricsPage,
    Pong,
    Request,
    Requests,
    Response,
    ServerFrame,
    Subscribed,
    Unsubscribed,
    server_frame,
)

__all__ = [
    "FRAME_LIMIT",
    "FRAME_TARGET",
    "MAX_BATCH",
    "MAX_DELAY",
    "MAX_VERSION",
    "Ack",
    "Acks",
    "ActionShown",
    "Actions",
    "ActionsPage",
    "AnyClientFrame",
    "AnyServerFrame",
    "Audit",
    "AuditPage",
    "Cancel",
    "ClientFrame",
    "Error",
    "EventPush",
    "EventShown",
    "EventsPush",
    "Explain",
    "Explanation",
    "Get",
    "History",
    "HistoryPage",
    "List",
    "Metrics",
    "MetricsPage",
    "Ping",
    "Pong",
    "Request",
    "Requests",
    "Response",
    "ServerFrame",
    "Submit",
    "SubmitBatch",
    "Subscribe",
    "Subscribed",
    "Unsubscribe",
    "Unsubscribed",
    "client_frame",
    "frame_object",
    "server_frame",
]

_Readings = Get | Explain | History | List | Metrics | Audit | Actions | Ping
AnyClientFrame = Submit | SubmitBatch | Subscribe | Unsubscribe | Cancel | _Readings
_CLIENT_FRAMES: Final[Mapping[Any, type[AnyClientFrame]]] = {
    frame.__struct_config__.tag: frame for frame in get_args(AnyClientFrame)
}


def frame_object(text: str) -> dict[str, Any]:
    """The JSON object that a frame is; a Rejected error when it is none."""
    try:
        if len(text) > FRAME_LIMIT or len(text.encode()) > FRAME_LIMIT:
            raise PayloadTooLarge(f"a frame has at most {FRAME_LIMIT} bytes")
    except UnicodeEncodeError as exc:
        raise InvalidJson("half of a surrogate pair") from exc
    value = exact_json.decode(text, exact_json.FRAME_DEPTH, exact_json.FRAME_DIGITS)
    if not isinstance(value, dict):
        raise InvalidFrame("a frame is a JSON object")
    return value


def client_frame(frame: Mapping[str, Any]) -> AnyClientFrame:
    """The client frame that an object is; InvalidFrame names each field that is wrong, never its value."""
    name = frame.get("type")
    if not isinstance(name, str) or name not in _CLIENT_FRAMES:
        raise InvalidFrame(f"type: one of {', '.join(_CLIENT_FRAMES)}")
    return read(frame, _CLIENT_FRAMES[name], name)
