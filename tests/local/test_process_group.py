"""Ending a process ends all that it started."""

import os
import subprocess
import sys

from local.process_group import end_group, running

SPAWNING = """
import signal, subprocess, sys
{before}
child = subprocess.Popen([sys.executable, "-c", "{ignore}; print('ready', flush=True); signal.pause()"])
signal.pause()
"""


def _start(*, stubborn: bool) -> "subprocess.Popen[bytes]":
    ignore = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" if stubborn else "import signal"
    process = subprocess.Popen(
        [sys.executable, "-c", SPAWNING.format(before=ignore, ignore=ignore)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as child_says:
        assert child_says.readline() == b"ready\n"
    return process


def test_a_group_ends_with_its_children() -> None:
    process = _start(stubborn=False)
    assert running(process.pid)
    end_group(process.pid)
    assert not running(process.pid)
    process.wait()


def test_a_group_that_does_not_listen_is_made_to_end() -> None:
    process = _start(stubborn=True)
    end_group(process.pid, grace_seconds=0.2)
    assert not running(process.pid)
    process.wait()


def test_a_group_that_never_was_does_not_run() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    process.wait()
    assert not running(process.pid)
    end_group(process.pid)


def test_our_own_group_runs() -> None:
    assert running(os.getpgrp())
