"""An instant as the field of a struct; apart, so that who only reads and writes instants loads no msgspec.

`Instant` alone only asks for a time zone; `WithInstants` makes instants of such fields. Pydantic knows neither.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from domain.instant import to_instant

Instant = Annotated[datetime, Meta(tz=True)]


class WithInstants(Struct, frozen=True, gc=False):
    """A value whose instants are in UTC and cut to the millisecond, however they were given."""

    instants: ClassVar[tuple[str, ...]] = ()  # fields that are instants

    def __post_init__(self) -> None:
        for name in self.instants:
            if (moment := getattr(self, name)) is not None:
                force_setattr(self, name, to_instant(moment))
