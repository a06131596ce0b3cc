"""What is wrong with something that came from outside, told by the names of its fields and never by its values."""

from typing import Final

from pydantic import ValidationError

_PLACE_SHOWN: Final = 100  # characters; a field's name may be as long as its frame, and the reply must fit one


def reasons(error: ValidationError, what: str = "") -> str:
    """What is wrong with each field of something, by the field's name and never by its value."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        _reason(problem["type"], (what, *problem["loc"]) if what else problem["loc"], problem["msg"])
        for problem in problems[:5]
    )


def _reason(kind: str, place: tuple[int | str, ...], told: str) -> str:
    if kind == "union_tag_invalid":  # what pydantic tells repeats the value
        told = "unknown type"
    return f"{'.'.join(map(str, place))[:_PLACE_SHOWN] or 'frame'}: {told}"
