"""Instants: aware UTC datetimes of millisecond precision, written as ISO 8601 with a Z.

One precision everywhere, so that an instant survives every trip through the log, a view or a frame unchanged and
text order is time order.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


def to_instant(moment: datetime) -> datetime:
    """The moment as an instant: in UTC, cut to the millisecond."""
    try:
        utc = _aware(moment).astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("an instant is between the years 1 and 9999 in UTC") from exc
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def to_text(instant: datetime) -> str:
    """The instant as text, for example 2026-11-22T08:24:41.120Z."""
    return f"{_aware(instant).astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def from_text(text: str) -> datetime:
    """The instant that a text names; ValueError when it names none or has no time zone."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is UTC and moment.microsecond % 1000 == 0 else to_instant(moment)


def epoch_seconds(instant: datetime) -> int:
    """Whole seconds since 1970, rounded up: the form of DynamoDB's time to live."""
    return -((EPOCH - _aware(instant)) // _SECOND)


def passed_seconds(instant: datetime) -> int:
    """Whole seconds that have passed since 1970: what expires in more of them is still there.

    A time to live is in whole seconds, so this asks of it exactly what the instant itself asks of `from_epoch`.
    """
    return (_aware(instant) - EPOCH) // _SECOND


def from_epoch(seconds: int) -> datetime:
    """The instant that whole seconds since 1970 stand for."""
    return datetime.fromtimestamp(seconds, UTC)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return moment
