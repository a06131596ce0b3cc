"""What the doctor says: what was looked at and, where something is wrong, what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at. `wrong` is empty when it is as it should be."""

    about: str
    wrong: str = ""
    do: str = ""
