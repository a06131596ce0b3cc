"""How large what is deployed is, and what a function imports before it can answer: what a cold start is made of.

`make build` prints it. Bytes and modules are the same on every machine, milliseconds are this one's.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

from rich.console import Console
from rich.table import Table

from local.needed import module_of
from local.template import PROJECT, resources

BUILT: Final = PROJECT / ".aws-sam" / "build"
_RUNS: Final = 3
_LOOK: Final = """
import json, sys, time
before = set(sys.modules)
start = time.perf_counter()
import handlers.{module}
took = time.perf_counter() - start
print(json.dumps([took, sorted(set(sys.modules) - before)]))
"""


@dataclass(frozen=True, slots=True)
class Artefact:
    """A function or a layer as it was built: bytes on disk and in an archive, files and packages at the top."""

    name: str
    bytes: int
    zipped: int
    files: int
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What importing a handler loads, and how long that took at best."""

    modules: frozenset[str]
    seconds: float

    def from_package(self, *names: str) -> frozenset[str]:
        """The modules of some packages among them."""
        return frozenset(module for module in self.modules if module.partition(".")[0] in names)


def artefact(directory: Path) -> Artefact:
    """What is in the directory of a function or a layer."""
    files = [file for file in directory.rglob("*") if file.is_file()]
    archive = directory.with_name(f".{directory.name}.zip")
    try:
        with ZipFile(archive, "w", ZIP_DEFLATED) as packed:
            for file in files:
                packed.write(file, file.relative_to(directory))
        zipped = archive.stat().st_size
    finally:
        archive.unlink(missing_ok=True)
    packages = sorted({file.relative_to(directory).parts[0] for file in files})
    return Artefact(directory.name, sum(file.stat().st_size for file in files), zipped, len(files), tuple(packages))


def imported(function: str, runs: int = 1) -> Imported:
    """What a process that does nothing else loads for a function; the shortest of so many runs."""
    looks = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", _LOOK.format(module=module_of(function))],
                cwd=PROJECT,
                capture_output=True,
                check=True,
            ).stdout
        )
        for _ in range(runs)
    ]
    return Imported(frozenset(looks[0][1]), min(seconds for seconds, _ in looks))


def main() -> int:
    """Print what was built."""
    console = Console(highlight=False)
    table = Table("artefact", "KB", "KB zipped", "files", "modules imported", "ms here", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for directory in sorted(_built()):
        made = artefact(directory)
        loaded = imported(made.name, _RUNS) if made.name in resources("AWS::Serverless::Function") else None
        start = (f"{len(loaded.modules)}", f"{loaded.seconds * 1000:.0f}") if loaded else ("", "")
        table.add_row(made.name, f"{made.bytes / 1024:.0f}", f"{made.zipped / 1024:.0f}", f"{made.files}", *start)
    if not table.row_count:
        console.print("Nothing is built: make build")
        return 1
    console.print(table)
    return 0


def _built() -> Iterator[Path]:
    """The directories that `sam build` made; functions with the same content share one."""
    return (directory for directory in BUILT.glob("*") if directory.is_dir())


if __name__ == "__main__":
    sys.exit(main())
