"""How much an action may tell at once, and in which form: JSON of so many bytes."""

from typing import Any, Final

from domain import exact_json, validity
from domain.errors import InvalidJson, InvalidValue, PayloadTooLarge

MESSAGE_LIMIT: Final = validity.LONGEST_TEXT  # characters; more is cut
CHUNK_LIMIT: Final = validity.CHUNK_LIMIT
DETAILS_LIMIT: Final = validity.DETAILS_LIMIT
CHECKPOINT_LIMIT: Final = validity.CHECKPOINT_LIMIT


def settled(what: str, value: Any, limit: int) -> Any:
    """The value as JSON carries it, apart from whatever the action does with its own; PayloadTooLarge above the limit.

    Errors: InvalidJson for what JSON cannot hold, which says why.
    """
    try:
        exact_json.require_shallow(value, exact_json.FRAME_DEPTH)
        text = exact_json.encode(value)
        if (size := len(text.encode())) > limit:
            raise PayloadTooLarge(f"{what}: {size} bytes of JSON, at most {limit} are possible")
        return exact_json.decode(text)
    except InvalidJson as exc:
        raise InvalidJson(f"{what}: not JSON ({exc.told})") from exc


def settled_details(value: Any) -> dict[str, Any] | None:
    """The details of a report likewise; InvalidValue for what is no object, with which no state could be read."""
    told = settled("details", value or None, DETAILS_LIMIT)
    if not (told is None or isinstance(told, dict)):
        raise InvalidValue("details: names with values", field="details")
    return told


def settled_checkpoint(value: Any) -> Any:
    """The checkpoint likewise; InvalidValue for None, which stands for no checkpoint."""
    if value is None:
        raise InvalidValue("checkpoint: anything but None", field="checkpoint")
    return settled("checkpoint", value, CHECKPOINT_LIMIT)
