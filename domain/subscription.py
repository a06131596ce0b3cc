"""A subscription: which connection watches which topic.

A topic is `request#ID`, `user#TENANT#USER` or `tenant#TENANT`; a request's events go to all three of its topics.
"""

from datetime import datetime, timedelta
from typing import Final

from domain.errors import InvalidFrame, NotFound
from domain.identity import TENANT_READ, Identity
from domain.validity import LONGEST_ADDRESS, Checked, as_text

SUBSCRIPTION_TTL: Final = timedelta(hours=24)


class Missed(Checked, frozen=True):
    """The first pushes to a connection that were not taken since it last asked: what they cover of which request.

    `at` is when they were to be made, `why` what became of the post.
    """

    request_id: str
    from_version: int
    version: int
    at: datetime
    why: str


class Subscription(Checked, frozen=True):
    """A connection's watch on a topic; `request_id` is set when the topic is one request.

    Where it was asked for from, and the frame that asked first: its id for its client, and that of the platform. When
    it was asked for last, and of a request the version that the client said it had and the one that the log had then:
    the answer told of what is between them.
    """

    topic: str
    connection_id: str
    tenant_id: str
    user_id: str
    created_at: datetime
    expires_at: datetime
    request_id: str | None = None
    source_ip: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    asked_at: datetime | None = None
    seen: int | None = None
    told: int | None = None
    missed: Missed | None = None


def request_topic(request_id: str) -> str:
    """The topic of one request."""
    return f"request#{request_id}"


def topics_of(request_id: str, tenant_id: str, user_id: str) -> tuple[str, str, str]:
    """The topics that a request's events go to."""
    return request_topic(request_id), f"user#{tenant_id}#{user_id}", f"tenant#{tenant_id}"


def authorized_topic(topic: str, identity: Identity) -> str:
    """The user or tenant topic, if the caller may watch it; NotFound when it is another tenant's."""
    match topic.split("#"):
        case ["user", tenant_id, user_id]:
            identity.require_access(tenant_id, user_id, TENANT_READ)
        case ["tenant", tenant_id]:
            if tenant_id != identity.tenant_id:
                raise NotFound
            identity.require(TENANT_READ)
        case _:
            raise InvalidFrame("topic: user#TENANT#USER or tenant#TENANT")
    return topic


def subscription(
    topic: str,
    connection_id: str,
    identity: Identity,
    now: datetime,
    *,
    source_ip: str = "",
    correlation_id: str = "",
    causation_id: str = "",
    seen: int | None = None,
    told: int | None = None,
) -> Subscription:
    """The subscription that a caller's connection makes now."""
    kind, _, rest = topic.partition("#")
    return Subscription(
        topic=topic,
        connection_id=connection_id,
        tenant_id=identity.tenant_id,
        user_id=identity.user_id,
        created_at=now,
        expires_at=now + SUBSCRIPTION_TTL,
        request_id=rest if kind == "request" else None,
        source_ip=as_text(source_ip, LONGEST_ADDRESS),
        correlation_id=correlation_id,
        causation_id=causation_id,
        asked_at=now,
        seen=seen,
        told=told,
    )
