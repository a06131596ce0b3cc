"""Progress bars that move while requests run; where there is no terminal, a line for each step that matters."""

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from client.show import escaped, told
from client.show import status as shown
from client.updates import Update

_A_STEP: Final = 25.0  # percent between two lines where nothing can move
_FULL: Final = 100.0


class Bars:
    """A bar for each request, on the console as long as the context lasts."""

    def __init__(self, console: Console, name_width: int = 0) -> None:
        self._console = console
        self._width = name_width
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            _Told(Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def add(self, name: str) -> "Bar":
        """A bar for one more request."""
        padded = f"{escaped(name):{self._width}}"
        task = self._progress.add_task(padded, total=_FULL, told=Text())
        return Bar(self._console, self._progress, task, padded)


class Bar:
    """The bar of one request."""

    def __init__(self, console: Console, progress: Progress, task: TaskID, name: str) -> None:
        self._console = console
        self._progress = progress
        self._task = task
        self._name = name
        self._shown_status = ""
        self._shown_percent = -_A_STEP

    def show(self, update: Update) -> None:
        """Move to where an update says the request is."""
        status = str((update.state or {}).get("status") or self._shown_status)
        percent = update.percent or 0.0
        summed_up = Text.assemble(shown(status), " ", escaped(summary(update)))
        self._progress.update(self._task, completed=percent, told=summed_up)
        if update.is_final:
            self._progress.stop_task(self._task)
        if not self._console.is_terminal:
            self._print(update, status, percent)

    def _print(self, update: Update, status: str, percent: float) -> None:
        moved = status != self._shown_status or abs(percent - self._shown_percent) >= _A_STEP
        if moved or update.is_final:
            self._shown_status, self._shown_percent = status, percent
            self._console.print(
                Text(f"{self._name}  {percent:3.0f} %  {escaped(status):<10}  {escaped(summary(update))}"),
                soft_wrap=True,
            )


class _Told(ProgressColumn):
    """What the newest update told, which is no markup."""

    def render(self, task: Task) -> Text:
        """The column of a bar."""
        made: Text = task.fields["told"]
        return made


def summary(update: Update) -> str:
    """What an update tells besides percent and result, which are shown in their own place."""
    data = {name: part for name, part in update.data.items() if name in ("message", "error", "reason", "attempt")}
    return told(data)
