"""What tenants, users and ids may be called, and so keys and topics. Apart, for the authorizer loads no JSON."""

import re
from datetime import datetime
from typing import Final

from domain.errors import InvalidValue

LONGEST_ID: Final = 128
LONGEST_REQUEST_ID: Final = 64

# No '#' and no '/', which join keys; a name of dots alone would lead out of a folder.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@._:|+=-]{0,127}")


def is_name(value: str) -> bool:
    """Whether a tenant or a user may be called so."""
    return _NAME.fullmatch(value) is not None


def require_name(field: str, value: object) -> None:
    """InvalidValue unless a tenant or a user may be called so."""
    require(
        field,
        "1-128 of A-Z a-z 0-9 @ . _ : | + = -, first a letter or digit",
        isinstance(value, str) and is_name(value),
    )


def require_id(field: str, value: object, longest: int = LONGEST_ID) -> None:
    """InvalidValue unless the value is printable ASCII of 1 to so many characters."""
    fits = isinstance(value, str) and 1 <= len(value) <= longest and value.isascii() and value.isprintable()
    require(field, f"1-{longest} printable ASCII characters", fits)


def require_aware(field: str, moment: object) -> None:
    """InvalidValue unless the moment has a time zone."""
    require(field, "a time needs its zone", isinstance(moment, datetime) and moment.utcoffset() is not None)


def require(field: str, rule: str, fits: bool) -> None:  # noqa: FBT001 - the answer to the rule
    """InvalidValue with the rule unless the field's value fits it."""
    if not fits:
        raise InvalidValue(f"{field}: {rule}", field=field)
