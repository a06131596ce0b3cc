"""The reply about a tenant's metrics: counts between two instants, with the gauges at the end of each."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from adapters.tenant_views import TenantViews
from domain import protocol
from domain.errors import InvalidFrame
from domain.identity import TENANT_READ, Identity
from domain.instant import from_text, to_text
from handlers import bootstrap
from projections import gauges, histogram, metrics

LONGEST_PERIOD: Final = timedelta(days=31)
MOST_ROWS: Final = 100  # of counts, up to 900 bytes each
# Rows of counts, of a minute each, for an answer, and once more for the gauges: each 215 us of a core, of which
# the function has 0.29, so some 8 s. A week has 10,080 minutes.
MOST_READ: Final = 11_000
_MINUTE: Final = timedelta(minutes=1)


def metrics_between(frame: protocol.Metrics, identity: Identity) -> protocol.MetricsPage:
    """The tenant's counts, by the finest step that a frame can hold, their exact totals, and what there is now."""
    identity.require(TENANT_READ)
    if not timedelta(0) < frame.to - frame.from_ <= LONGEST_PERIOD:
        raise InvalidFrame(f"to: after from, by at most {LONGEST_PERIOD.days} days")
    views = bootstrap.tenant_views(identity.tenant_id)
    # What is now first: whatever happens in between is in the rows, never in neither.
    now = gauges.of_action(views.gauges(), frame.action)
    rows, until = views.metrics_page(frame.from_, frame.to, MOST_READ, frame.action)
    if until is not None:
        raise InvalidFrame(f"to: at most {to_text(until)}, as an answer counts {MOST_READ:,} rows of a minute")
    return protocol.MetricsPage(
        id=frame.id,
        rows=metrics.shown(_by_step(rows, frame.resolution), _at_end(views, frame, now)),
        totals=metrics.totals(rows),
        gauges=now,
        quantile_error=histogram.RELATIVE_ERROR,
    )


def _at_end(views: TenantViews, frame: protocol.Metrics, gauges_now: Mapping[str, int]) -> Mapping[str, int]:
    """The gauges after the minutes that are asked for; none where too much has happened since to count back."""
    now = bootstrap.CLOCK.now()
    if frame.to > now + _MINUTE:  # up to the end of the year 9999, which has no minute after it
        return gauges_now
    start = from_text(f"{to_text(frame.to - timedelta(milliseconds=1))[:16]}Z") + _MINUTE
    if start >= now + _MINUTE:
        return gauges_now
    later, until = views.metrics_page(start, now + _MINUTE, MOST_READ, frame.action)
    return metrics.level_before(gauges_now, later) if until is None else {}


def _by_step(rows: list[dict[str, Any]], resolution: str | None) -> list[dict[str, Any]]:
    if resolution is None:
        return metrics.finest(rows, MOST_ROWS)
    rolled = metrics.rolled_up(rows, resolution)
    if len(rolled) > MOST_ROWS:
        raise InvalidFrame(f"resolution: {len(rolled)} rows, at most {MOST_ROWS} fit; ask for less")
    return rolled
