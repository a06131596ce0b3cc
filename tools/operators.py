"""What the operators' commands do: the stack found, the work done, the exit code."""

import argparse
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from adapters.clock import Clock
from domain.errors import Rejected, Unavailable, Undecodable
from tools.arguments_operators import SHADOWS
from tools.building import NAMES
from tools.deployed import deployed
from tools.doctor import doctor
from tools.export import export
from tools.failures import redrive
from tools.operated import Operated, operated
from tools.rebuild import Asked, rebuild, show
from tools.reconcile import reconcile
from tools.verify import verify

USAGE: Final = 2
NOT_CONNECTED: Final = 3
INTERRUPTED: Final = 130


def rebuild_view(asked: argparse.Namespace) -> int:
    """`streamer rebuild`: 1 if anything differs and was not mended."""
    if asked.view not in NAMES:
        print(f"streamer: no view {asked.view}; there are {', '.join(NAMES)}", file=sys.stderr)
        return USAGE
    wanted = Asked(
        asked.view, asked.tenant, asked.since, asked.until, asked.segments, switch=asked.switch, fresh=asked.fresh
    )

    def run(stack: Operated, console: Console) -> int:
        try:
            report = rebuild(stack, wanted, SHADOWS, Clock(), console)
        except sqlite3.DatabaseError as exc:
            if type(exc) is not sqlite3.DatabaseError:
                raise  # a full disk, or another rebuild of it that runs: nothing is wrong with the file
            print(f"streamer: what was begun is damaged ({exc}); start anew with --fresh", file=sys.stderr)
            return 1
        return show(wanted, report, Console(highlight=False))

    return _on_stack(asked.stack, run, "; started again, it goes on where it was")


def reconcile_views(asked: argparse.Namespace) -> int:
    """`streamer reconcile`: 1 if anything is still behind or unreadable."""

    def run(stack: Operated, console: Console) -> int:
        found = reconcile(stack, asked.tenant, asked.segments, Clock(), console)
        told = f"{found.looked_at} requests, {found.behind} behind their log, {found.repaired} brought up"
        Console(highlight=False).print(Text(f"{told}, {found.unreadable} unreadable"), soft_wrap=True)
        return 1 if found.unreadable or found.repaired < found.behind else 0

    return _on_stack(asked.stack, run)


def verify_audit(asked: argparse.Namespace) -> int:
    """`streamer audit verify`: 1 if anything is wrong."""

    def run(stack: Operated, console: Console) -> int:
        told = Console(highlight=False)
        return 1 if verify(stack, asked.tenant, asked.segments, SHADOWS, Clock(), told, console) else 0

    return _on_stack(asked.stack, run)


def export_audit(asked: argparse.Namespace) -> int:
    """`streamer audit export`: 1 if anything is left out."""
    first = asked.first or Clock().now().date()
    last = asked.last or first
    if last < first:
        print(f"streamer: --to {last} is before --from {first}", file=sys.stderr)
        return USAGE

    def run(stack: Operated, console: Console) -> int:
        left_out: list[Undecodable] = []
        with console.status("Writing the audit trail"):
            count = export(stack, asked.tenant, first, last, asked.user, asked.form, asked.out, left_out.append)
        for why in left_out:
            console.print(Text(f"left out  {why}"), soft_wrap=True)
        console.print(Text(f"{count} entries"))
        return 1 if left_out else 0

    return _on_stack(asked.stack, run)


def examine_stack(asked: argparse.Namespace) -> int:
    """`streamer doctor`: 1 if anything is wrong."""
    stack = deployed(asked.stack, Path.cwd())
    return doctor(stack, Console(highlight=False), everything=asked.everything)


def redrive_failures(asked: argparse.Namespace) -> int:
    """`streamer redrive failures`: 1 if anything is left."""
    where = deployed(asked.stack, Path.cwd())

    def run(stack: Operated, console: Console) -> int:
        for name in ("FailuresBucket", "ProjectViews"):
            where.resource(name)
        with console.status("Handing over what the failures bucket holds"):
            done = redrive(where, stack, Clock())
        told = Console(highlight=False)
        told.print(f"{done.handled} {'object' if done.handled == 1 else 'objects'} handled")
        for key, why in done.left.items():
            told.print(Text(f"left  {key}: {why}"), soft_wrap=True)
        return 1 if done.left else 0

    return _on_stack(asked.stack, run)


def _on_stack(name: str | None, run: Callable[[Operated, Console], int], then: str = "") -> int:
    """Run a command on a stack; `then` says what follows when it did not get to its end."""
    console = Console(stderr=True, highlight=False)

    def failed(why: object, code: int) -> int:
        console.print(Text(f"streamer: {why}"), soft_wrap=True)
        return code

    stack = operated(name, Path.cwd())
    try:
        return run(stack, console)
    except Rejected as exc:
        return failed(exc.told, USAGE)
    except (Unavailable, BotoCoreError, ClientError) as exc:
        return failed(f"{exc}{then}", NOT_CONNECTED)
    except BrokenPipeError:
        raise
    except sqlite3.OperationalError as exc:
        return failed(f"{exc}{then}", 1)
    except (OSError, Undecodable) as exc:
        return failed(exc, 1)
    except KeyboardInterrupt:
        failed(f"interrupted{then}", INTERRUPTED)
        raise
