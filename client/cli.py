"""The `streamer` command.

Exit codes: 0 as asked, 1 the request failed, was cancelled or was refused, 2 the command line is wrong, 3 there is no
stack, no connection or no accepted token, 130 interrupted.
"""

import argparse
import asyncio
import codecs
import io
import json
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from client.arguments import Addition, parser
from client.commands import COMMANDS, Session
from client.errors import ClientError, ConnectionLost, ConnectRefused, NoReply, UnreadableReply
from client.show import text
from client.stack import Stack, StackNotFound, deployed_stack, local_stack
from client.streamer import StreamerClient
from client.tokens import Issuer, NoTokenKey, Signer, make_token

OK, FAILED, USAGE, NOT_CONNECTED, INTERRUPTED = 0, 1, 2, 3, 130
TOKEN_VARIABLE: Final = "STREAMER_TOKEN"  # noqa: S105 - a name, no token
KEY_VARIABLE: Final = "STREAMER_TOKEN_KEY"


class NoToken(ClientError):
    """Nobody said as whom to connect."""

    message = f"No token: give --token, set {TOKEN_VARIABLE}, or make one with --tenant and --user"


def main(arguments: Sequence[str] | None = None, additions: Iterable[Addition] = ()) -> int:
    """Do what the command line says; the exit code. Additions are commands that others bring."""
    logging.getLogger("client").addHandler(logging.NullHandler())
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_AS_JSON)
    asked = parser(additions).parse_args(arguments)
    try:
        code = _do(asked)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read the output, `head` for example, has had enough. Python would flush what is left of it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except ClientError as error:
        Console(stderr=True, highlight=False).print(text(f"streamer: {error}"), soft_wrap=True)
        return _exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _do(asked: argparse.Namespace) -> int:
    if "run" in asked:
        return int(asked.run(asked))
    if asked.command == "token":
        print(_token(_signer(asked), asked, asked.scope, timedelta(seconds=asked.ttl)))
        return OK
    stack = deployed_stack(asked.stack) if asked.stack else local_stack(Path.cwd())
    asyncio.run(_run(stack, asked))
    return OK


async def _run(stack: Stack, asked: argparse.Namespace) -> None:
    async with StreamerClient(stack.ws_url, token=_token_for(stack, asked)) as client:
        await COMMANDS[asked.command](Session(client, asked, Console(highlight=False)))


def _token_for(stack: Stack, asked: argparse.Namespace) -> str:
    if asked.token:
        return str(asked.token)
    if asked.tenant and asked.user:
        return _token(stack, asked, asked.needs)
    if asked.tenant or asked.user:
        raise NoToken("one of the two is not enough")
    if token := os.environ.get(TOKEN_VARIABLE):
        return token
    raise NoToken


def _signer(asked: argparse.Namespace) -> Signer:
    """Who makes tokens: the issuer that was named, with the key in the environment, or the stack on this machine."""
    if not asked.issuer:
        return local_stack(Path.cwd())
    return Issuer(os.environ.get(KEY_VARIABLE), asked.issuer, asked.audience)


def _token(stack: Signer, asked: argparse.Namespace, scopes: Sequence[str], ttl: timedelta = timedelta(hours=1)) -> str:
    return make_token(stack, tenant=asked.tenant, user=asked.user, scopes=scopes, ttl=ttl, now=datetime.now(UTC))


def _written_as_json(error: Any) -> tuple[str, int]:
    """What a terminal has no signs for, written so that JSON stays JSON."""
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


_AS_JSON: Final = "streamer.as-json"
codecs.register_error(_AS_JSON, _written_as_json)


def _exit_code(error: ClientError) -> int:
    match error:
        case NoToken() | NoTokenKey():
            return USAGE
        case StackNotFound() | ConnectionLost() | ConnectRefused() | NoReply() | UnreadableReply():
            return NOT_CONNECTED
        case _:
            return FAILED


if __name__ == "__main__":
    sys.exit(main())
