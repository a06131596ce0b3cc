"""The emulator starts on a port of its own and leaves nothing behind."""

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import emulator
from local.aws import session
from local.environment import clean
from local.errors import AlreadyRunning
from local.probe import status_of
from local.process_group import running
from local.waiting import until

ECHO = """
import os

def handler(event, context):
    print("called")
    return os.getpid()
"""
OWNER = """
import signal, sys
from pathlib import Path
from local import emulator

started = emulator.start(Path(sys.argv[1]))
if sys.argv[2] == "detach":
    started.detach()
print(started.process.pid, flush=True)
if sys.argv[2] == "stay":
    signal.pause()
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "stack"
    emulator.stop(tmp_path / "stack")


def _owner(directory: Path, then: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", OWNER, str(directory), then], stdout=subprocess.PIPE, text=True)


def _pid(owner: "subprocess.Popen[str]") -> int:
    assert owner.stdout is not None
    with owner.stdout as says:
        return int(says.readline())


def _with_a_worker(endpoint_url: str) -> None:
    """Make the emulator start a worker process, by calling a function."""
    functions = session().client("lambda", endpoint_url=endpoint_url)
    functions.create_function(
        FunctionName="echo",
        Runtime="python3.13",
        Handler="echo.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": _zipped("echo.py", ECHO)},
    )
    answer = functions.invoke(FunctionName="echo", Payload=b"{}")
    worker = json.loads(answer["Payload"].read())
    os.kill(worker, 0)


def _zipped(name: str, text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, text)
    return packed.getvalue()


def test_it_answers_on_this_machine_alone_and_stops_with_its_workers(directory: Path) -> None:
    started = emulator.start(directory)
    assert started.endpoint_url.startswith("http://127.0.0.1:")
    assert emulator.alive(directory) == started.process.pid
    _with_a_worker(started.endpoint_url)
    printed = directory / "log" / "functions.log"
    assert until(lambda: printed.exists() and printed.read_text() == "echo called\n", seconds=60)
    started.stop()
    assert emulator.alive(directory) is None
    assert not running(started.process.pid)
    assert sorted(path.name for path in directory.iterdir()) == ["lock", "log"]


def test_a_second_one_in_the_same_directory_is_refused(directory: Path) -> None:
    started = emulator.start(directory)
    with pytest.raises(AlreadyRunning):
        emulator.start(directory)
    assert emulator.alive(directory) == started.process.pid
    started.stop()


def test_two_directories_do_not_disturb_each_other(directory: Path, tmp_path: Path) -> None:
    first, second = emulator.start(directory), emulator.start(tmp_path / "other")
    assert first.port != second.port
    first.stop()
    assert emulator.alive(tmp_path / "other") == second.process.pid
    second.stop()


def test_it_ends_when_its_owner_is_killed(directory: Path) -> None:
    owner = _owner(directory, "stay")
    pid = _pid(owner)
    assert running(pid)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert until(lambda: not running(pid), seconds=60)
    assert emulator.alive(directory) is None


def test_one_that_was_detached_lives_on_and_anyone_may_stop_it(directory: Path) -> None:
    owner = _owner(directory, "detach")
    pid = _pid(owner)
    assert owner.wait() == 0
    assert emulator.alive(directory) == pid
    assert emulator.stop(directory)
    assert not running(pid)
    assert not emulator.stop(directory)


def test_nothing_of_a_users_account_or_proxy_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "https_proxy", "HTTP_PROXY", "MAKEFLAGS", "PYTHONPATH"):
        monkeypatch.setenv(name, "foreign")
    assert "foreign" not in clean().values()


def test_a_directory_that_was_never_used_holds_none(tmp_path: Path) -> None:
    assert emulator.alive(tmp_path / "nowhere") is None
    assert not emulator.stop(tmp_path / "nowhere")


def test_one_that_is_being_started_is_not_taken_for_the_one_before(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.mkdir()
    (directory / "lock").write_text("12345")

    def tidy(directory: Path) -> None:
        assert emulator.alive(directory) is None
        raise InterruptedError

    with monkeypatch.context() as starting:
        starting.setattr(emulator, "_tidy", tidy)
        with pytest.raises(InterruptedError):
            emulator.start(directory)


def test_the_console_is_served_as_long_as_the_emulator_runs(directory: Path) -> None:
    started = emulator.start(directory)
    assert status_of(started.console_url) == 200
    assert status_of(f"{started.console_url}config.json") == 404, "there is no stack yet"
    started.stop()
    assert status_of(started.console_url) is None
