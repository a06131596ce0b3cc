"""Replaying recordings in tests: as they are, twice, shuffled or in part, through any projection."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools import recording, replay
from tools.recording import Found
from tools.registry import PROJECTIONS, Row
from tools.replay import Reading

Record = dict[str, Any]


def read(file: Path) -> Reading:
    """A recording, read as `streamer replay` does it."""
    return replay.reading(recording.read(file))


def records_of(file: Path) -> list[Record]:
    """The records of a recording, in order; AssertionError where there is none."""
    found = list(recording.read(file))
    assert [one.reason for one in found if one.record is None] == []
    return [dict(one.record) for one in found if one.record is not None]


def rows_of(records: Sequence[Record], projection: str) -> list[Row]:
    """What a projection makes of records; AssertionError when one of them is unreadable."""
    reading = replay.reading(Found(place, record) for place, record in enumerate(records, start=1))
    assert reading.unreadable == []
    return PROJECTIONS[projection].rows(reading.told())


def shuffled(records: Sequence[Record], seed: int, times: int = 1) -> list[Record]:
    """The records, each so many times, in an order that the seed decides."""
    mixed = list(records) * times
    random.Random(seed).shuffle(mixed)
    return mixed


def differences(records: Sequence[Record], projection: str, seeds: Sequence[int]) -> list[str]:
    """The deliveries that lead to other rows than the records once and in order do; none if all is well."""
    once = rows_of(records, projection)
    ways = {"twice": [*records, *records], "each twice": [one for one in records for _ in range(2)]}
    ways |= {"backwards": list(reversed(records))}
    ways |= {f"shuffled by {seed}": shuffled(records, seed, times=2) for seed in seeds}
    return [way for way, delivered in ways.items() if rows_of(delivered, projection) != once]
