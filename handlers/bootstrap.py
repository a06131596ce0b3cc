"""The composition root: what each handler is made of, built on first use and kept while the process is warm.

Importing it does nothing; each part imports what it needs when it is built, so a function loads only what it uses.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from adapters.clock import Clock
from adapters.threads import Threads
from handlers.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from actions.registry import Registry
    from adapters.broadcast import Broadcast
    from adapters.census import Census
    from adapters.connection_store import ConnectionStore
    from adapters.event_store import EventStore
    from adapters.objects import Objects
    from adapters.patrol import Patrol
    from adapters.places import Places
    from adapters.quarantine import Quarantine
    from adapters.rates import LocalRates, SharedRates
    from adapters.request_queue import RequestQueue
    from adapters.request_view import RequestView
    from adapters.subscription_store import SubscriptionStore
    from adapters.tenant_room import TenantRoom
    from adapters.tenant_slots import TenantSlots
    from adapters.tenant_views import TenantViews
    from adapters.ticket_store import TicketStore
    from adapters.view_projector import ViewProjector
    from adapters.views import Views
    from adapters.websocket import Sockets
    from adapters.work_tokens import WorkTokens
    from domain.errors import Undecodable

CLOCK = Clock()
THREADS = Threads()


@cache
def logger() -> Logger:
    """The structured log of this function."""
    return Logger()


@cache
def operations() -> Metrics:
    """Figures for operators, written to the log in CloudWatch's embedded format."""
    return Metrics()


@cache
def _dynamodb() -> "DynamoDBClient":
    from adapters import aws

    return aws.dynamodb()


@cache
def events() -> "EventStore":
    """The log."""
    from adapters.event_store import EventStore

    return EventStore(_dynamodb(), settings().events_table)


@cache
def connections() -> "ConnectionStore":
    """The open sockets' rows."""
    from adapters.connection_store import ConnectionStore

    return ConnectionStore(_dynamodb(), settings().connections_table)


@cache
def subscriptions() -> "SubscriptionStore":
    """Who watches what."""
    from adapters.subscription_store import SubscriptionStore

    return SubscriptionStore(_dynamodb(), settings().subscriptions_table)


@cache
def tickets() -> "TicketStore":
    """The connect tickets."""
    from adapters.ticket_store import TicketStore

    return TicketStore(_dynamodb(), settings().tickets_table)


@cache
def views() -> "Views":
    """The view tables, to write."""
    from adapters.views import Views
    from projections.intents import View

    here = settings()
    tables = {
        View.REQUESTS: here.requests_table,
        View.AUDIT: here.audit_table,
        View.METRICS: here.metrics_table,
    }
    return Views(_dynamodb(), tables)


@cache
def request_view() -> "RequestView":
    """The requests view, to read."""
    from adapters.request_view import RequestView

    return RequestView(_dynamodb(), settings().requests_table, settings().queue_shards, _passed_over)


def _passed_over(unreadable: "Undecodable") -> None:
    logger().warning("row passed over", extra={"error": str(unreadable)})
    count("Unreadable", 1)


def tenant_views(tenant_id: str) -> "TenantViews":
    """A tenant's audit and metrics, to read."""
    from adapters.tenant_views import TenantViews

    return TenantViews(_dynamodb(), settings().audit_table, settings().metrics_table, tenant_id)


@cache
def own_rates() -> "LocalRates":
    """What each connection has used up of its rate, as far as this process saw."""
    from adapters.rates import LocalRates

    return LocalRates()


@cache
def shared_rates() -> "SharedRates":
    """What connections and tenants have used up of their rates."""
    from adapters.rates import SharedRates

    return SharedRates(_dynamodb(), settings().limits_table)


@cache
def queued() -> "TenantRoom":
    """How many requests of each tenant wait for a worker."""
    from adapters.tenant_room import TenantRoom

    return TenantRoom(lambda tenant_id: tenant_views(tenant_id).gauges().get("queued", 0), CLOCK)


@cache
def connected() -> "TenantRoom":
    """How many connections of each tenant are open."""
    from adapters.tenant_room import TenantRoom

    return TenantRoom(lambda tenant_id: tenant_views(tenant_id).gauges().get("connections", 0), CLOCK)


@cache
def objects() -> "Objects":
    """The bucket."""
    from adapters import aws
    from adapters.objects import Objects

    return Objects(aws.s3, settings().payload_bucket)


@cache
def projector() -> "ViewProjector":
    """What keeps the requests, audit and metrics views."""
    from adapters.view_projector import ViewProjector

    return ViewProjector(events(), views(), work_tokens(), quarantine(), CLOCK, settings().queue_shards)


@cache
def patrol() -> "Patrol":
    """What finds requests whose views are behind."""
    from adapters.patrol import Patrol
    from adapters.reconciler import Reconciler

    reconciler = Reconciler(events(), views(), projector(), CLOCK)
    return Patrol(_dynamodb(), settings().events_table, request_view().statuses, reconciler, places())


@cache
def census() -> "Census":
    """What counts how much there is."""
    from adapters.census import Census

    return Census(_dynamodb(), settings().subscriptions_table, request_view().statuses, places())


@cache
def places() -> "Places":
    """Where the looks at whole tables have come."""
    from adapters.places import Places

    return Places(_dynamodb(), settings().metrics_table)


@cache
def quarantine() -> "Quarantine":
    """Where unreadable stream records go."""
    from adapters import aws
    from adapters.objects import Objects
    from adapters.quarantine import Quarantine

    return Quarantine(Objects(aws.s3, settings().failures_bucket))


@cache
def queue() -> "RequestQueue":
    """The requests."""
    from adapters.request_queue import RequestQueue

    retention = timedelta(days=settings().retention_days)
    return RequestQueue(events(), request_view(), objects(), CLOCK, retention, slots())


@cache
def slots() -> "TenantSlots | None":
    """The slots of tenants; None when a tenant may have as many requests running as it likes."""
    from adapters.tenant_slots import TenantSlots

    limit = settings().tenant_concurrency
    return TenantSlots(_dynamodb(), settings().limits_table, settings().events_table, limit) if limit else None


@cache
def work_tokens() -> "WorkTokens":
    """The work queue."""
    from adapters import aws
    from adapters.work_tokens import WorkTokens

    return WorkTokens(aws.sqs(), settings().work_queue_url)


@cache
def sockets() -> "Sockets":
    """The open sockets."""
    from adapters import aws
    from adapters.websocket import Sockets

    return Sockets(aws.sockets(settings().management_endpoint))


@cache
def broadcast() -> "Broadcast":
    """The open sockets, for many posts at once."""
    from adapters import aws
    from adapters.broadcast import Broadcast

    return Broadcast(aws.signer(settings().management_endpoint), CLOCK)


@cache
def registry() -> "Registry":
    """The actions."""
    from actions.catalog import catalog

    return catalog()


def lease() -> timedelta:
    """How long a worker has a request without a sign of life."""
    return timedelta(seconds=settings().lease_s)


def count_action(action: str, counts: Mapping[str, int], durations: Mapping[str, Sequence[int]]) -> None:
    """Add to the figures of an action, and of all actions: counts, and durations in milliseconds."""
    figures = operations()
    figures.add_dimensions(service=figures.service or "", action=action)
    for name, value in counts.items():
        figures.add_metric(name=name, unit=MetricUnit.Count, value=value)
    for name, values in durations.items():
        for value in values:
            figures.add_metric(name=name, unit=MetricUnit.Milliseconds, value=value)
    figures.flush_metrics()


def count(name: str, value: int) -> None:
    """Add to a figure for operators; written out at once, so that a crash afterwards loses nothing."""
    if value:
        operations().add_metric(name=name, unit=MetricUnit.Count, value=value)
        operations().flush_metrics()


def gauge(name: str, value: int, unit: MetricUnit = MetricUnit.Count) -> None:
    """Tell how much there is of something now, also when it is nothing: no news would be no good news."""
    operations().add_metric(name=name, unit=unit, value=value)
    operations().flush_metrics()
