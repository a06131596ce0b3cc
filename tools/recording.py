"""Recordings: stream records in a file, in every form in which one comes by them.

    a record a line         what `streamer capture` writes
    {"Records": […]}        an event of Lambda, and the fixtures of the tests
    {"payload": "…", …}     an object of an on-failure destination: the event is text within it
    {"record": {…}, …}      an object of the quarantine

Each may be one line of many, or the whole file over many lines.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

from adapters.stream_records import Record
from domain import exact_json
from domain.errors import InvalidJson, Undecodable


@dataclass(frozen=True, slots=True)
class Found:
    """What is at a place of a file: a record, or the reason why there is none."""

    line: int
    record: Record | None = None
    reason: str = ""


def read(file: Path, passed: Callable[[int], object] = lambda _: None) -> Iterator[Found]:
    """The records of a file in order; `passed` is told of the bytes behind each as they are read.

    In a file that is one document over many lines, `line` counts its records instead.
    """
    # Opened once and read from front to back: it may be a pipe.
    with file.open("rb") as lines:
        head = _head(lines)
        if _is_json(head[-1]):
            yield from _lines(chain(head, lines), passed)
            return
        content = b"".join(head) + lines.read()
    whole = _document(content)
    if whole is None:
        yield from _lines(BytesIO(content), passed)
        return
    for number, found in enumerate(_records(whole, 0), start=1):
        yield Found(number, found.record, found.reason)
    passed(len(content))


def _head(lines: Iterable[bytes]) -> list[bytes]:
    """The lines up to the first one that is not blank."""
    head = []
    for line in lines:
        head.append(line)
        if line.strip():
            return head
    return [*head, b""]


def _lines(lines: Iterable[bytes], passed: Callable[[int], object]) -> Iterator[Found]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield from _records_in(line, number)
        passed(len(line))


def _records_in(text: str | bytes, line: int) -> Iterator[Found]:
    try:
        value = exact_json.decode(text)
    except InvalidJson as exc:
        yield Found(line, reason=str(exc))
    else:
        yield from _records(value, line)


def _records(value: Any, line: int) -> Iterator[Found]:
    match value:
        case {"dynamodb": _}:
            yield Found(line, value)
        case {"Records": list(records)}:
            for record in records:
                yield from _records(record, line)
        case {"record": dict(record)}:
            yield from _records(record, line)
        case {"payload": str(text)}:
            yield from _records_in(text, line)
        case _:
            yield Found(line, reason=str(Undecodable("not a stream record")))


def _document(content: bytes) -> Any:
    try:
        return exact_json.decode(content)
    except InvalidJson:
        return None  # lines then, of which at least the first is not JSON


def _is_json(line: bytes) -> bool:
    try:
        exact_json.decode(line)
    except InvalidJson:
        return False
    return True
