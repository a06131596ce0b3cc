"""What every store refuses at its door: ids that are empty, too long or unprintable, and times without a zone."""

import re
from datetime import datetime
from typing import Final

from domain.errors import InvalidValue

LONGEST_ID: Final = 128
LONGEST_REQUEST_ID: Final = 64
LONGEST_TOPIC: Final = 262  # user#128#128
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")


def require_id(field: str, value: str, longest: int = LONGEST_ID) -> None:
    """InvalidValue unless the value is printable ASCII of 1 to so many characters."""
    if not _PRINTABLE.fullmatch(value) or len(value) > longest:
        raise InvalidValue(f"{field}: 1-{longest} printable ASCII characters", field=field)


def require_aware(field: str, moment: datetime) -> None:
    """InvalidValue unless the moment has a time zone."""
    if moment.utcoffset() is None:
        raise InvalidValue(f"{field}: a time needs its zone", field=field)
