"""What can go wrong while the stack starts or stops on this machine.

StackError
  AlreadyRunning   another stack holds the directory
  EmulatorFailed   the emulator ended or did not answer in time
  DeployFailed     sam refused to build or to deploy
  NotAnswering     the stack was deployed, and its door does not answer as it should
  TableDiffers     a table is there under one of our names, with other keys or indexes
  NotInstalled     a program that is needed is missing, or what was downloaded is not what was expected
"""

from pathlib import Path


class StackError(Exception):
    """The stack could not be started or stopped; `log` says why."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.log = log

    def __str__(self) -> str:
        return self.message if self.log is None else f"{self.message}\nThe log: {self.log}\n{_tail(self.log)}"


class AlreadyRunning(StackError):
    """Another stack holds the directory."""


class EmulatorFailed(StackError):
    """The emulator ended or did not answer in time."""


class DeployFailed(StackError):
    """Sam refused to build or to deploy."""


class NotAnswering(StackError):
    """The stack was deployed, and its door does not answer as it should."""


class TableDiffers(StackError):
    """A table is there under one of our names, with other keys or indexes; it was left alone."""


class NotInstalled(StackError):
    """A program that is needed is missing, or what was downloaded is not what was expected."""


def _tail(log: Path, lines: int = 15) -> str:
    if not log.exists():
        return "(it was never written)"
    return "\n".join(f"  | {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
