"""The Python client of Streamer."""

from client.backoff import Backoff
from client.batches import Submission
from client.errors import (
    ClientError,
    ConnectionLost,
    ConnectRefused,
    EventsLost,
    NoReply,
    RateLimited,
    RequestCancelled,
    RequestFailed,
    RequestRejected,
    StillRunning,
    UnexpectedResult,
    UnreadableReply,
    WatchClosed,
)
from client.handle import Handle
from client.streamer import StreamerClient
from client.tickets import tickets_from
from client.topic_watch import TopicWatch
from client.updates import Update

__all__ = [
    "Backoff",
    "ClientError",
    "ConnectRefused",
    "ConnectionLost",
    "EventsLost",
    "Handle",
    "NoReply",
    "RateLimited",
    "RequestCancelled",
    "RequestFailed",
    "RequestRejected",
    "StillRunning",
    "StreamerClient",
    "Submission",
    "TopicWatch",
    "UnexpectedResult",
    "UnreadableReply",
    "Update",
    "WatchClosed",
    "tickets_from",
]
