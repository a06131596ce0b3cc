"""The harm: processes are killed in the middle, posts are refused, the tables are out of order for a while."""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from threading import Event
from typing import Final

from tests.faults.functions import HANDLERS, Function
from tests.faults.stage import Stage
from tests.kit.sink import HANGS_UP

POSTS: Final[Mapping[int, str]] = {429: "posts throttled", 500: "posts failed", HANGS_UP: "posts cut off"}
KILLED: Final = "killed: "
_PAUSE_S: Final = (0.1, 0.6)
_OUTAGE: Final = 0.04  # of the harms
_OUTAGE_S: Final = (0.5, 2.0)
_REFUSED: Final = 0.4  # of the harms
_REFUSALS: Final = 6  # in a row at most: more than what is tried again
_SPARED: Final = 0.8  # of the functions that have done nothing since they were killed: else nothing gets done


class Harm:
    """What harms a run; `killed` counts the processes by function."""

    def __init__(self, stage: Stage, functions: Sequence[Function], sockets: Sequence[str], random: Random) -> None:
        self._stage = stage
        self._functions = functions
        self._sockets = sockets
        self._random = random
        self.killed: Counter[str] = Counter(dict.fromkeys((KILLED + name for name in HANDLERS), 0))

    def run(self, stop: Event) -> None:
        """Do harm until told to stop, first of the kind that is rare."""
        self._put_tables_out_of_order()
        while not stop.wait(self._random.uniform(*_PAUSE_S)):
            if self._random.random() < _OUTAGE:
                self._put_tables_out_of_order()
            elif self._random.random() < _REFUSED:
                self._refuse_posts()
            else:
                self._kill()

    def calm(self) -> None:
        """Undo what lasts."""
        self._stage.tables.calm()
        self._stage.others.calm()
        for socket in self._sockets:
            self._stage.sink.answer(socket, 200)

    def _put_tables_out_of_order(self) -> None:
        self._stage.tables.fail_for(self._random.uniform(*_OUTAGE_S))

    def _refuse_posts(self) -> None:
        answers = self._random.choices([*POSTS], k=self._random.randint(1, _REFUSALS))
        self._stage.sink.answer(self._random.choice(self._sockets), *answers, 200)

    def _kill(self) -> None:
        """Kill a process of a function that is at it, and rather of one that has not been killed yet."""
        shuffled = self._random.sample([*HANDLERS], len(HANDLERS))
        for name in sorted(shuffled, key=lambda name: self.killed[KILLED + name] > 0):
            own = [function for function in self._functions if function.name == name and not self._spares(function)]
            if any(function.kill() for function in self._random.sample(own, len(own))):
                self.killed[KILLED + name] += 1
                return

    def _spares(self, function: Function) -> bool:
        return function.lost_in_a_row > 0 and self._random.random() < _SPARED
