"""Ending a process and all that it started."""

import contextlib
import os
import signal
from pathlib import Path

from local.waiting import until

_GRACE_SECONDS = 5.0
_PROC = Path("/proc")


def end_group(pgid: int, *, grace_seconds: float = _GRACE_SECONDS) -> None:
    """Ask every process of a group to end, make those that do not, and wait until none runs."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pgid, sign)
        if until(lambda: not running(pgid), seconds=grace_seconds):
            return


def running(pgid: int) -> bool:
    """Whether any process of a group runs; one that ended and was not collected yet does not."""
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # What macOS answers about a group of which only uncollected processes are left.
        return False
    return any(_runs_in(pgid, process) for process in _PROC.glob("[0-9]*")) if _PROC.is_dir() else True


def _runs_in(pgid: int, process: Path) -> bool:
    try:
        # Format: proc(5), "pid (name) state ppid pgrp … num_threads …"; a name may hold spaces and brackets.
        fields = (process / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    state, group, threads = fields[0], int(fields[2]), int(fields[17])
    # A process whose first thread ended is called a zombie while its other threads still run and hold its files.
    ended = state in ("Z", "X") and threads <= 1
    return group == pgid and not ended
