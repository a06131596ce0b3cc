"""The emulator of AWS as a process group of its own, with all its files below one directory.

It is alive as long as somebody holds the directory's lock: the emulator inherits the locked file, so that the answer
is right even after a crash, and never about another process that happens to have the same id.
"""

import contextlib
import fcntl
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from local.environment import clean
from local.errors import AlreadyRunning, EmulatorFailed
from local.probe import status_of
from local.process_group import end_group
from local.waiting import until

_START_SECONDS = 60.0
_PORTS_TO_TRY = 3


@dataclass(frozen=True)
class Emulator:
    """A running emulator that this process started."""

    directory: Path
    port: int
    console_port: int
    process: "subprocess.Popen[bytes]"
    owner_pipe: int

    @property
    def endpoint_url(self) -> str:
        """The address that takes every service's calls."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def console_url(self) -> str:
        """The address of the console."""
        return f"http://127.0.0.1:{self.console_port}/"

    def detach(self) -> None:
        """Let the emulator live on when this process ends."""
        os.write(self.owner_pipe, b".")
        os.close(self.owner_pipe)

    def stop(self) -> None:
        """Stop the emulator with all its workers."""
        os.close(self.owner_pipe)
        end_group(self.process.pid)
        self.process.wait()
        _tidy(self.directory)


def start(directory: Path) -> Emulator:
    """Start an emulator in a directory and wait until it answers; it ends with this process unless it is detached.

    Errors: AlreadyRunning, EmulatorFailed.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory) as lock:
        for _ in range(_PORTS_TO_TRY):
            emulator = _launch(directory, free_port(), free_port(), lock)
            try:
                if _answers(emulator):
                    return emulator
            except BaseException:
                emulator.stop()
                raise
            emulator.stop()
    raise EmulatorFailed("The emulator of AWS did not start.", log_file(directory))


def alive(directory: Path) -> int | None:
    """Return the process group of the emulator that runs in a directory, whoever started it.

    None also while one is being started and has no process yet: there is nothing to stop.
    """
    try:
        with _locked(directory):
            return None
    except FileNotFoundError:
        return None
    except AlreadyRunning:
        group = (directory / "lock").read_text()
        return int(group) if group else None


def stop(directory: Path) -> bool:
    """Stop the emulator of a directory, whoever started it; False if there is none."""
    pgid = alive(directory)
    if pgid is None:
        return False
    end_group(pgid)
    _tidy(directory)
    return True


def log_file(directory: Path) -> Path:
    """The file that holds what the emulator says; what the functions print is in functions.log beside it."""
    return directory / "log" / "emulator.log"


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError as exc:
        raise AlreadyRunning(f"A stack runs in {directory}.") from exc
    finally:
        os.close(descriptor)


def _launch(directory: Path, port: int, console_port: int, lock: int) -> Emulator:
    # Whoever held the lock before must not be taken for this one, and be ended in its place.
    os.truncate(lock, 0)
    _tidy(directory)
    for name in ("tmp", "data", "log"):
        (directory / name).mkdir(exist_ok=True)
    (directory / "log" / "functions.log").unlink(missing_ok=True)
    theirs, ours = os.pipe()
    with log_file(directory).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("serve.py")), str(theirs), str(console_port)],
            env=clean(
                BIND_HOST="127.0.0.1",
                MINISTACK_HOST="127.0.0.1",
                GATEWAY_PORT=str(port),
                TMPDIR=str(directory / "tmp"),
                STATE_DIR=str(directory / "data"),
                S3_DATA_DIR=str(directory / "data"),
                # Both would listen on fixed ports, on every interface.
                IOT_MTLS_ENABLED="0",
                SFTP_ENABLED="0",
                # A worker that idles is kept, so that a pause in a demonstration does not end in a cold start.
                LAMBDA_WARM_TTL_SECONDS="3600",
                LOG_LEVEL="INFO",
            ),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock, theirs),
        )
    os.close(theirs)
    os.pwrite(lock, str(process.pid).encode(), 0)
    return Emulator(directory, port, console_port, process, ours)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _answers(emulator: Emulator) -> bool:
    def healthy() -> bool:
        return status_of(f"{emulator.endpoint_url}/_ministack/health") == HTTPStatus.OK

    def decided() -> bool:
        return healthy() or emulator.process.poll() is not None

    return until(decided, seconds=_START_SECONDS) and emulator.process.poll() is None


def _tidy(directory: Path) -> None:
    for name in ("tmp", "data"):
        shutil.rmtree(directory / name, ignore_errors=True)
