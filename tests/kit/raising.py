"""What a test expects never to be told."""

from typing import NoReturn


def raising(error: Exception) -> NoReturn:
    """Raise what is told."""
    raise error
