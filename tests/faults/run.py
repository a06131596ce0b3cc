"""One run: everything started, load and harm together, then calm until all is at rest, and the verdict."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from random import Random
from threading import Event
from typing import Final

from adapters.stream_records import event_of
from local.waiting import until
from tests.faults.functions import Function
from tests.faults.harm import POSTS, Harm
from tests.faults.mappings import QueueMapping, Schedule, Stream, StreamMapping
from tests.faults.stage import SLOTS, Stage
from tests.faults.users import User
from tests.faults.verdict import stored_twice, together, told_wrongly
from tests.kit.views import differences, logs
from tests.soak import judge
from tests.soak.judge import FINAL, Evidence
from tests.soak.load import TENANTS, USERS, Heard
from tests.soak.wishes import large, wish

WORKERS: Final = 4
_MESSENGERS: Final = 3
_THREADS: Final = 32
_SWEEP_S: Final = 2.0
# Bounds for what never comes, not times that are expected.
_LOAD_S: Final = 300.0
_HARM_S: Final = 15.0
_REST_S: Final = 180.0
_VIEWS_S: Final = 90.0


@dataclass(slots=True)
class Report:
    """What a run was and what is wrong with it."""

    requests: int = 0
    events: int = 0
    calls: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    took_s: float = 0.0


class Run:
    """A run on a stage."""

    def __init__(self, stage: Stage, directory: Path, seed: int, mutant: str | None, *, patience: float = 1.0) -> None:
        self._stage = stage
        self._seed = seed
        self._patience = patience
        self._counts: Counter[str] = Counter()
        log = directory / "functions.log"
        self._projector, self._notifier, self._sweeper = (
            Function(name, log, mutant) for name in ("project_views", "notify_subscribers", "sweep")
        )
        self._messengers = [Function("message", log, mutant) for _ in range(_MESSENGERS)]
        self._workers = [Function("work", log, mutant) for _ in range(WORKERS)]
        self._functions = [self._projector, self._notifier, self._sweeper, *self._messengers, *self._workers]
        self._users = [
            User(tenant, user, self._messengers[number % _MESSENGERS], stage.sink, self._counts)
            for number, (tenant, user) in enumerate(product(TENANTS, USERS))
        ]
        self._stream = Stream(stage.aws)
        self._readers = [
            StreamMapping(self._stream, function, self._random(function.name), self._counts)
            for function in (self._projector, self._notifier)
        ]
        self._harm = Harm(stage, self._functions, [user.socket for user in self._users], self._random("harm"))

    def go(self, requests: int) -> Report:
        """Run it, with so many requests."""
        began = time.monotonic()
        stop = Event()
        with ThreadPoolExecutor(_THREADS) as threads:
            platform = [threads.submit(part.run, stop) for part in self._platform()]
            try:
                self._load(threads, requests, platform)
                report = self._judged(stop)
            finally:
                stop.set()
            for part in platform:
                part.result()
        for function in self._functions:
            function.close()
        report.took_s = time.monotonic() - began
        return report

    def _random(self, name: str) -> Random:
        return Random(f"{self._seed}/{name}")

    def _platform(self) -> Iterator[Stream | StreamMapping | QueueMapping | Schedule]:
        yield self._stream
        yield from self._readers
        for number, worker in enumerate(self._workers):
            yield QueueMapping(self._stage.aws, worker, self._random(f"queue-{number}"), self._counts)
        yield Schedule(self._sweeper, _SWEEP_S)

    def _load(self, threads: ThreadPoolExecutor, requests: int, platform: Sequence[Future[None]]) -> None:
        """Have everybody ask, and do harm until all is final."""
        calm, gave_up = Event(), Event()
        harm = threads.submit(self._harm.run, calm)
        asking = []
        for number, user in enumerate(self._users):
            random = self._random(user.socket)
            wishes = [wish(random) for _ in range(number, requests, len(self._users))]
            if number == 0:  # else the bucket has nothing to do in some runs
                wishes[0] = large(random)
            asking.append(threads.submit(user.run, wishes, random, gave_up))
        try:
            until(lambda: _all_done(asking) or _any_done(platform), seconds=_LOAD_S * self._patience)
            until(lambda: not self._open(), seconds=_HARM_S)
        finally:
            gave_up.set()
            calm.set()
            harm.result()
            self._harm.calm()
        for one in asking:
            one.result()

    def _open(self) -> set[str]:
        """The requests that have not ended, as far as the stream tells."""
        images = [record["dynamodb"]["NewImage"] for record in self._stream.records]
        ended = {image["request_id"]["S"] for image in images if image["type"]["S"] in FINAL}
        asked = {ack.request_id for user in self._users for ack in user.acks}
        return (asked | {image["request_id"]["S"] for image in images}) - ended

    def _judged(self, stop: Event) -> Report:
        """Wait until all is at rest, and look at everything."""
        aws = self._stage.aws
        until(lambda: not self._open(), seconds=_REST_S * self._patience)
        until(lambda: not any(reader.behind for reader in self._readers), seconds=_REST_S * self._patience)
        until(lambda: not differences(aws), seconds=_VIEWS_S * self._patience)
        whole = logs(aws)
        acks = [ack for user in self._users for ack in user.acks]
        asked: dict[str, list[Heard]] = {}
        for user in self._users:
            heard = user.heard(list(dict.fromkeys(ack.request_id for ack in user.acks)), stop)
            asked |= {request_id: [one] for request_id, one in heard.items()}
        evidence = Evidence(
            asked=asked,
            logs=whole,
            order=[event_of(record) for record in self._stream.records],
            slots=SLOTS,
            view_differences=differences(aws),
            troubles=[trouble for user in self._users for trouble in user.troubles],
        )
        cancelled = [request_id for user in self._users for request_id in user.cancelled]
        sink = self._stage.sink
        self._counts["invocations out of time"] = sum(function.timed_out for function in self._functions)
        return Report(
            requests=len(asked),
            events=sum(map(len, whole.values())),
            calls=self._stage.tables.calls() + self._stage.others.calls(),
            fired=together(
                self._stage.tables.fired(),
                self._stage.others.fired(),
                {kind: sink.answered[status] for status, kind in POSTS.items()},
            ),
            killed=self._harm.killed,
            counts=self._counts,
            violations=[
                *judge.faults(evidence),
                *stored_twice(whole),
                *told_wrongly(acks, cancelled, whole),
                *(error for function in self._functions for error in function.errors),
            ],
        )


def _all_done(parts: Sequence[Future[None]]) -> bool:
    return all(part.done() for part in parts)


def _any_done(parts: Sequence[Future[None]]) -> bool:
    """Whether a part has failed that never ends by itself."""
    return any(part.done() for part in parts)
