"""What an action may raise to say how it ended, besides returning its result."""

from datetime import timedelta


class Permanent(Exception):
    """The work can never succeed; the message is told to the user and nothing is tried again."""


class Retry(Exception):
    """The work may succeed later; the message is told to the user and another attempt is made if any is left."""

    def __init__(self, message: str, after: timedelta | None = None) -> None:
        super().__init__(message)
        self.after = after


class Stopped(Exception):
    """Nobody wants this attempt any more; raised by Progress, passed on by actions."""
