"""An instant as the field of a pydantic model; apart, so that who only reads and writes instants loads no pydantic."""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, PlainSerializer

from domain.instant import to_instant, to_text

Instant = Annotated[AwareDatetime, AfterValidator(to_instant), PlainSerializer(to_text)]
