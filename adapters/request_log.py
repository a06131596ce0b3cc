"""The request log: carrying out commands on the event store.

Every change goes the same way: load the head, decide, append. A writer that lost the race to append loads the new
head and decides again, so what the rules say is always said of the newest state.
"""

from typing import Final

from msgspec.structs import replace

from adapters.clock import Clock
from adapters.event_store import EventStore
from adapters.tenant_slots import TenantSlots
from domain.commands import Command
from domain.errors import Conflict, Unavailable
from domain.recorded import Head, Origin, record
from domain.request import decide

NOBODY: Final = Origin("", "")
_TRIES: Final = 4


class RequestLog:
    """The logs of all requests, as commands change them."""

    def __init__(self, events: EventStore, clock: Clock, slots: TenantSlots | None = None) -> None:
        self._events = events
        self._clock = clock
        self._slots = slots

    def execute(self, command: Command, head: Head, causation_id: str = "") -> tuple[Head, bool]:
        """Carry out a command on a request whose head was loaded before, perhaps long ago.

        Gives the head that it leads to, and whether it changed anything. What caused it is the event before, unless it
        is told. TenantFull when it starts an attempt and the tenant has no slot left.
        """
        for _ in range(_TRIES):
            events = decide(command, head.state)
            if not events:
                return head, False
            origin = head.origin or NOBODY
            origin = replace(origin, causation_id=causation_id) if causation_id else origin
            recorded = record(events[0], head, self._clock.now(), self._clock.event_id(), origin)
            slot = self._slots.change(head.state.status, recorded) if self._slots else None
            try:
                self._events.append(recorded, slot)
            except Conflict:
                head = self._events.head(head.request_id)
            else:
                return Head.of(recorded), True
        raise Unavailable("other writers were always first", request_id=head.request_id)
