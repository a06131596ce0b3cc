"""The tail of one request's log: puts what arrives in order, once, and says when something is missing. No I/O.

Pushes may come twice, late, out of order, or not at all; an answer to `subscribe` overlaps with them. The rule is
one number: the version up to which everything was given out.

    a push up to that version                    -> had already: drop it
    a push whose range starts at most one after  -> the next: give out its newest event
    a push whose range starts later              -> something is missing: ask the log for what comes after the number
    an answer of the log                         -> give out what is new, and ask again if it ended early

At most one question is open at a time. What is pushed meanwhile and does not fit is not kept, only remembered as
existing: the log has it, and the next answer brings it.
"""

from dataclasses import dataclass, replace
from typing import Final

from client.errors import EventsLost
from client.updates import Answer, State, Update, is_final


@dataclass(frozen=True, slots=True)
class Heard:
    """What follows from a frame: updates to give out, and the version after which to ask the log, if at all."""

    updates: tuple[Update, ...] = ()
    ask_after: int | None = None


NOTHING: Final = Heard()


@dataclass(frozen=True, slots=True)
class _Question:
    after: int
    known: int  # the newest version that was known to exist when it was asked


class Tail:
    """The tail of a request from after a version on."""

    def __init__(self, request_id: str, after: int = 0, state: State | None = None) -> None:
        self.request_id = request_id
        self.version = after
        self.state = state
        self._known = after  # the newest version that is known to exist
        self._question: _Question | None = None

    @property
    def is_final(self) -> bool:
        """Whether everything was given out and nothing can follow."""
        return is_final(self.state)

    def ask(self) -> Heard:
        """Ask the log for whatever was not given out yet, unless a question is open."""
        if self.is_final or self._question is not None:
            return NOTHING
        self._question = _Question(after=self.version, known=self._known)
        return Heard(ask_after=self.version)

    def pushed(self, update: Update) -> Heard:
        """What follows from a push."""
        if self.is_final or update.version <= self.version:
            return NOTHING
        self._known = max(self._known, update.version)
        if update.from_version > self.version + 1:
            return self.ask()
        return Heard((self._give_out(update),))

    def answered(self, answer: Answer) -> Heard:
        """What follows from the answer to the open question; EventsLost when it withholds what exists."""
        question, self._question = self._question, None
        updates = tuple(self._give_out(update) for update in answer.updates if self._is_next(update))
        self._known = max(self._known, answer.version)
        if answer.version == self.version and answer.state is not None:
            self.state = answer.state
        if self.is_final or self._known <= self.version:
            return Heard(updates)
        if question is not None and question.after == self.version < question.known:
            raise EventsLost(request_id=self.request_id, after=self.version)
        return Heard(updates, self.ask().ask_after)

    def _is_next(self, update: Update) -> bool:
        return update.version == self.version + 1 and not self.is_final

    def _give_out(self, update: Update) -> Update:
        given = replace(update, from_version=self.version + 1)
        self.version = given.version
        self.state = given.state if given.state is not None else self.state
        return given
