"""The command line of `streamer`."""

import argparse
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from client.batches import Submission
from domain import exact_json
from domain.errors import InvalidJson
from domain.instant import EPOCH, to_instant
from domain.state import Status

READ_TENANT = ("tenant:read",)
_LONGEST_LIFE: Final = 100 * 365 * 86_400  # seconds; a token without an end in sight is a mistake

# Adds a command of its own that needs no connection: it sets the default `run`, from arguments to the exit code.
Addition = Callable[[Any], None]


def parser(additions: Iterable[Addition] = ()) -> argparse.ArgumentParser:
    """Everything that the command understands."""
    top = argparse.ArgumentParser(prog="streamer", description="Submit requests to Streamer and watch them live.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_token(commands)
    _add_submit(commands)
    many = _add(commands, "submit-many", "ask for much work in few frames")
    many.add_argument("file", type=_submissions, metavar="FILE|-", help="a JSON object a line: action, payload, …")
    _add(commands, "watch", "follow a request live and print its result").add_argument("request")
    get = _add(commands, "get", "print a request's state and result")
    get.add_argument("request")
    get.add_argument("--at", type=_version_or_instant, metavar="VERSION|INSTANT", help="its state as it was")
    _add_list(commands)
    _add(commands, "explain", "say why a request is where it is").add_argument("request")
    cancel = _add(commands, "cancel", "ask a request to stop")
    cancel.add_argument("request")
    cancel.add_argument("--reason")
    _add(commands, "history", "print every event of a request").add_argument("request")
    _add_views(commands)
    _add(commands, "ping", "see whether the server answers")
    for add in additions:
        add(commands)
    return top


def _add(commands: Any, name: str, what: str, scopes: tuple[str, ...] = ()) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=what, description=f"{what.capitalize()}.")
    command.set_defaults(needs=scopes)
    who = command.add_argument_group("which stack, and as whom")
    who.add_argument("--stack", metavar="NAME", help="a stack on AWS; without it, the one on this machine")
    who.add_argument("--token", help="a JWT; without it, the environment's STREAMER_TOKEN")
    who.add_argument("--tenant", help="make a token for this tenant, on this machine's stack")
    who.add_argument("--user", help="and for this user")
    command.add_argument("--json", action="store_true", help="print JSON, for machines")
    return command


def _add_token(commands: Any) -> None:
    command = commands.add_parser(
        "token",
        help="make a token",
        description="Make a token for the stack on this machine, or with --issuer for one whose key you have.",
    )
    command.add_argument("--tenant", required=True)
    command.add_argument("--user", required=True)
    command.add_argument("--scope", action="append", default=[], help="tenant:read or tenant:write; may be repeated")
    command.add_argument("--ttl", type=_lifetime, default=3600, metavar="SECONDS", help="3600 unless told")
    command.add_argument("--issuer", help="a stack's TokenIssuer; its TokenKey is read from STREAMER_TOKEN_KEY")
    command.add_argument("--audience", default="streamer", help="and its TokenAudience; streamer unless told")


def _add_submit(commands: Any) -> None:
    command = _add(commands, "submit", "ask for work")
    command.add_argument("action")
    command.add_argument("payload", nargs="?", type=_payload, metavar="JSON|@FILE", help="the action's input")
    command.add_argument("--watch", action="store_true", help="follow it live and print its result")
    command.add_argument("--priority", type=int, choices=range(10), metavar="0-9", help="9 goes first, 5 unless told")
    command.add_argument("--delay-s", type=int, metavar="SECONDS", help="not before so many seconds have passed")
    command.add_argument("--timeout-s", type=positive, metavar="SECONDS", help="fails when it has not ended by then")
    command.add_argument("--max-attempts", type=positive, metavar="N")
    command.add_argument("--key", help="the same key gives the same request, however often it is submitted")


def _add_list(commands: Any) -> None:
    command = _add(commands, "list", "list requests, newest first", READ_TENANT)
    command.add_argument("--status", type=str.upper, choices=[status.value for status in Status], metavar="STATUS")
    command.add_argument("--tenant-wide", action="store_true", help="everybody's, not only one's own")
    command.add_argument("--limit", type=positive, default=20, metavar="N", help="20 unless told")


def _add_views(commands: Any) -> None:
    metrics = _add(commands, "metrics", "print the tenant's counts by the minute", READ_TENANT)
    metrics.add_argument("--from", dest="start", type=instant, metavar="INSTANT", help="an hour before the end")
    metrics.add_argument("--to", dest="end", type=instant, metavar="INSTANT", help="now, unless told")
    metrics.add_argument("--action")
    metrics.add_argument("--per", choices=("minute", "hour", "day"), help="the finest that fits, unless told")
    audit = _add(commands, "audit", "print who did what", READ_TENANT)
    which = audit.add_mutually_exclusive_group()
    which.add_argument("--day", type=day, metavar="YYYY-MM-DD", help="in UTC; today unless told")
    which.add_argument("--request")
    audit.add_argument("--of-user", metavar="USER", help="what this user did on the day")


def _payload(text: str) -> Any:
    try:
        return exact_json.decode(Path(text[1:]).read_bytes() if text.startswith("@") else text)
    except (InvalidJson, OSError) as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _submissions(name: str) -> list[Submission]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc
    # Not splitlines: JSON may have what else it takes for the end of a line, U+2028 for example, within its strings.
    lines = enumerate(text.split("\n"), start=1)
    return [_submission(number, line) for number, line in lines if line.strip()]


def _submission(number: int, line: str) -> Submission:
    try:
        return Submission(**exact_json.decode(line))
    except (TypeError, InvalidJson) as exc:
        raise argparse.ArgumentTypeError(f"line {number}: {exc}") from exc


def instant(text: str) -> datetime:
    """The instant that an argument names; one without a zone is in UTC."""
    try:
        told = datetime.fromisoformat(text)
        moment = to_instant(told if told.tzinfo is not None else told.replace(tzinfo=UTC))
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"not an ISO 8601 instant: {text}") from exc
    if moment < EPOCH:
        raise argparse.ArgumentTypeError(f"before 1970: {text}")
    return moment


def day(text: str) -> date:
    """The day that an argument names."""
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"not a day (YYYY-MM-DD): {text}") from exc


def _version_or_instant(text: str) -> int | datetime:
    return int(text) if text.isdecimal() else instant(text)


def _lifetime(text: str) -> int:
    seconds = positive(text)
    if seconds > _LONGEST_LIFE:
        raise argparse.ArgumentTypeError(f"more than a century: {text}")
    return seconds


def positive(text: str) -> int:
    """The positive whole number that an argument is."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a positive whole number: {text}")
    return int(text)
