"""How many posts a batch takes: a frame a connection, against a post for each event and watcher. A count, no clock."""

from typing import Final

from adapters.clock import Clock
from bench.rebuild import log
from bench.results import Row
from domain.recorded import RecordedEvent
from projections import fan_out

REQUESTS: Final = 10
EVENTS: Final = 10  # of each
WATCHERS: Final = 10


def groups() -> list[list[RecordedEvent]]:
    """The batch: the first events of each request."""
    clock = Clock()
    return [log(number, clock)[:EVENTS] for number in range(REQUESTS)]


def rows() -> list[Row]:
    """Posts; the same connections watch every request, as those of one team's dashboard do."""
    batch = groups()
    watchers = {f"request#{events[0].request_id}": [f"c-{n}" for n in range(WATCHERS)] for events in batch}
    posts = len(fan_out.project(batch, watchers))
    apart = {
        f"request#{events[0].request_id}": [f"c-{place}-{n}" for n in range(WATCHERS)]
        for place, events in enumerate(batch)
    }
    of_strangers = len(fan_out.project(batch, apart))
    each = sum(map(len, batch)) * WATCHERS
    target = "ratio <= 0.1"
    return [
        Row("posts of a batch, ten watch all requests", posts, each, "posts", target),
        Row("posts of a batch, each request has its own ten", of_strangers, each, "posts", target),
    ]
