"""`streamer replay`: rows on standard output, what was read and what was wrong with it on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from client import show
from domain import exact_json
from tools import recording
from tools.registry import PROJECTIONS, Projection, Row
from tools.replay import Reading, Told

_SHOWN_AT_MOST = 20  # unreadable places, requests with missing events


def replay(file: Path, name: str, *, json: bool) -> int:
    """Replay a recording through a projection; the exit code, 1 if any record was unreadable."""
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    try:
        reading = _read(file, err)
    except OSError as exc:
        err.print(Text(f"streamer: {exc}"), soft_wrap=True)
        return 1
    told = reading.told()
    projection = PROJECTIONS[name]
    rows = projection.rows(told)
    if out.is_terminal and not json:
        out.print(_table(projection, rows))
    else:
        for row in rows:
            print(exact_json.encode(row))
    _sum_up(reading, told, len(rows), err)
    return 1 if reading.unreadable else 0


def _read(file: Path, console: Console) -> Reading:
    reading = Reading()
    with _progress(file, console) as (passed, counted):
        for found in recording.read(file, passed):
            reading.take(found)
            counted(reading.read)
    return reading


@contextmanager
def _progress(file: Path, console: Console) -> Iterator[tuple[Callable[[int], object], Callable[[int], object]]]:
    """A bar of the bytes behind, where something can move; what to tell of bytes and of records."""
    columns = (BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f} %"), _Rate(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(file.name, total=file.stat().st_size, records=0)
        yield (
            lambda size: progress.advance(task, size),
            lambda count: progress.update(task, records=count),
        )


class _Rate(ProgressColumn):
    """How many records were read, and how many in a second."""

    def render(self, task: Task) -> Text:
        """The column of a bar."""
        records = int(task.fields["records"])
        return Text(f"{records:,} records, {records / (task.elapsed or 1):,.0f}/s")


def _table(projection: Projection, rows: list[Row]) -> Table:
    made = show.table(*projection.columns, wrap=projection.columns[-1:])
    for row in rows:
        made.add_row(*(show.whole(show.value(row.get(name, ""))) for name in projection.columns))
    return made


def _sum_up(reading: Reading, told: Told, rows: int, console: Console) -> None:
    for line, reason in reading.unreadable[:_SHOWN_AT_MOST]:
        console.print(show.text(f"line {line}: {reason}", style="red"), soft_wrap=True)
    if len(reading.unreadable) > _SHOWN_AT_MOST:
        console.print(f"… and {len(reading.unreadable) - _SHOWN_AT_MOST} more")
    incomplete = told.incomplete()
    if incomplete:
        names = ", ".join(incomplete[:_SHOWN_AT_MOST]) + (", …" if len(incomplete) > _SHOWN_AT_MOST else "")
        missing = f"events are missing of {len(incomplete)} requests: {names}"
        console.print(show.text(missing, style="yellow"), soft_wrap=True)
    counts = f"{reading.duplicate} duplicate, {reading.skipped} skipped, {len(reading.unreadable)} unreadable"
    console.print(Text(f"{reading.read} records ({counts}) → {rows} rows"), soft_wrap=True)
