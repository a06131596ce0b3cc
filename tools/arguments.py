"""The tools' part of the command line. What they are made of is imported only when one of them is asked for."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

# Written out, for these names must be known before anything slow is imported; a test compares them.
PROJECTIONS: Final = ("requests", "audit", "metrics", "dispatch", "fan_out")
TABLES: Final = ("events", "connections", "subscriptions")


def add_replay(commands: Any) -> None:
    """`streamer replay FILE --projection NAME`."""
    what = "show what a projection makes of recorded stream records; needs no stack"
    command: argparse.ArgumentParser = commands.add_parser("replay", help=what, description=f"{what.capitalize()}.")
    command.add_argument(
        "file", type=Path, metavar="FILE", help="records, one JSON object a line, or an event of Lambda"
    )
    command.add_argument(
        "--projection", required=True, choices=PROJECTIONS, metavar="NAME", help=", ".join(PROJECTIONS)
    )
    command.add_argument("--json", action="store_true", help="print JSON lines, also at a terminal")
    command.set_defaults(run=_replay)


def add_capture(commands: Any) -> None:
    """`streamer capture --table NAME --out FILE`."""
    what = "record a stream of the stack on this machine, from its beginning until now"
    command: argparse.ArgumentParser = commands.add_parser("capture", help=what, description=f"{what.capitalize()}.")
    command.add_argument("--table", choices=TABLES, default="events", metavar="NAME", help=", ".join(TABLES))
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="written anew, a record a line")
    command.set_defaults(run=_capture)


def add_redrive(commands: Any) -> None:
    """`streamer redrive work|failures [--stack NAME]`."""
    what = "send again what was given up"
    command: argparse.ArgumentParser = commands.add_parser("redrive", help=what, description=f"{what.capitalize()}.")
    kinds = command.add_subparsers(dest="kind", required=True, metavar="WHAT")
    what = "move the dead letters of the work queue back to it"
    _add_kind(kinds, "work", what, _redrive_work)
    what = "hand what the failures bucket holds to the projections again"
    _add_kind(kinds, "failures", what, _redrive_failures)


def _add_kind(kinds: Any, name: str, what: str, run: Callable[[argparse.Namespace], int]) -> None:
    kind: argparse.ArgumentParser = kinds.add_parser(name, help=what, description=f"{what.capitalize()}.")
    kind.add_argument("--stack", metavar="NAME", help="a stack on AWS; without it, the one on this machine")
    kind.set_defaults(run=run)


def _replay(asked: argparse.Namespace) -> int:
    from tools.replaying import replay  # noqa: PLC0415 - slow to import

    return replay(asked.file, asked.projection, json=asked.json)


def _capture(asked: argparse.Namespace) -> int:
    from tools.capture import capture_local  # noqa: PLC0415 - likewise

    return capture_local(asked.table, asked.out)


def _redrive_work(asked: argparse.Namespace) -> int:
    from tools.redrive import redrive_work  # noqa: PLC0415 - likewise

    return redrive_work(asked.stack)


def _redrive_failures(asked: argparse.Namespace) -> int:
    from tools import operators  # noqa: PLC0415 - likewise

    return operators.redrive_failures(asked)
