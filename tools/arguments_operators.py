"""The operators' part of the command line: what talks to a stack's tables directly."""

import argparse
from pathlib import Path
from typing import Any, Final

from client.arguments import day, instant, positive

FORMATS: Final = ("jsonl", "csv")
SHADOWS: Final = Path(".local") / "rebuild"


def add_rebuild(commands: Any) -> None:
    """`streamer rebuild VIEW`."""
    command = _command(commands, "rebuild", "make a view anew from the log beside the live one, and compare them")
    # Which views there are is known only once the projections are imported, which takes a moment.
    command.add_argument("view", metavar="VIEW", help="requests, audit, metrics, gauges or any other in the catalogue")
    command.add_argument("--tenant", help="of this tenant only")
    command.add_argument("--since", type=instant, metavar="INSTANT", help="compare nothing before it")
    command.add_argument("--until", type=instant, metavar="INSTANT", help="compare counts up to it; 2 minutes ago")
    command.add_argument("--switch", action="store_true", help="make the live rows that differ what the log says")
    command.add_argument("--fresh", action="store_true", help="start anew where one was interrupted")
    # None tells one that is given from one that is not: what was interrupted goes on in as many as it was begun with.
    command.set_defaults(run=_rebuild, segments=None)


def add_reconcile(commands: Any) -> None:
    """`streamer reconcile`."""
    command = _command(commands, "reconcile", "find requests whose views are behind the log, and bring them up")
    command.add_argument("--tenant", help="of this tenant only")
    command.set_defaults(run=_reconcile)


def add_audit(commands: Any) -> None:
    """`streamer audit verify` and `streamer audit export`, beside `streamer audit`."""
    audit = commands.choices["audit"]
    kinds = audit.add_subparsers(dest="what", metavar="verify|export", title="for operators, from the tables")
    # `audit` has --stack, --tenant and --user as well: a default here would take back what was given before `verify`.
    verify = _command(kinds, "verify", "check every hash chain, and the log against the audit view", argparse.SUPPRESS)
    verify.add_argument("--tenant", default=argparse.SUPPRESS, help="of this tenant only")
    verify.set_defaults(run=_verify, refuse=verify.error)
    export = _command(kinds, "export", "write a tenant's audit trail", argparse.SUPPRESS)
    export.add_argument("--tenant", required=True)
    export.add_argument("--user", default=argparse.SUPPRESS, help="of this user only")
    export.add_argument("--from", dest="first", type=day, metavar="YYYY-MM-DD", help="today, in UTC")
    export.add_argument("--to", dest="last", type=day, metavar="YYYY-MM-DD", help="the same day")
    export.add_argument("--format", dest="form", choices=FORMATS, default="jsonl", help="jsonl, unless told")
    export.add_argument("--out", type=Path, metavar="FILE", help="standard output, unless told")
    export.set_defaults(run=_export, refuse=export.error)


def add_doctor(commands: Any) -> None:
    """`streamer doctor`."""
    what = "look at a stack, say what is wrong with it and what to do"
    command: argparse.ArgumentParser = commands.add_parser("doctor", help=what, description=f"{what.capitalize()}.")
    command.add_argument("--stack", metavar="NAME", help="a stack on AWS; without it, the one on this machine")
    command.add_argument("--all", action="store_true", dest="everything", help="print what is fine as well")
    command.set_defaults(run=_doctor)


def _command(commands: Any, name: str, what: str, stack: str | None = None) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=what, description=f"{what.capitalize()}.")
    which = "a stack on AWS; without it, the one on this machine"
    command.add_argument("--stack", default=stack, metavar="NAME", help=which)
    command.add_argument("--segments", type=positive, default=4, metavar="N", help="read the log N at a time; 4")
    return command


def _rebuild(asked: argparse.Namespace) -> int:
    from tools import operators  # noqa: PLC0415 - slow to import

    return operators.rebuild_view(asked)


def _reconcile(asked: argparse.Namespace) -> int:
    from tools import operators  # noqa: PLC0415 - likewise

    return operators.reconcile_views(asked)


def _verify(asked: argparse.Namespace) -> int:
    from tools import operators  # noqa: PLC0415 - likewise

    _nothing_but(asked, "tenant")
    return operators.verify_audit(asked)


def _export(asked: argparse.Namespace) -> int:
    from tools import operators  # noqa: PLC0415 - likewise

    _nothing_but(asked, "tenant", "user")
    return operators.export_audit(asked)


def _nothing_but(asked: argparse.Namespace, *taken: str) -> None:
    """Refuse what plain `audit` takes and this does not: dropped, it would seem to have been heeded."""
    for name in ("token", "tenant", "user", "json", "day", "request", "of_user"):
        if name not in taken and getattr(asked, name):
            asked.refuse(f"--{name.replace('_', '-')} is of `streamer audit` alone")


def _doctor(asked: argparse.Namespace) -> int:
    from tools import operators  # noqa: PLC0415 - likewise

    return operators.examine_stack(asked)
