"""The stack on this machine: what it is made of, starting it, finding it, stopping it."""

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local import emulator
from local.aws import session
from local.deploy import PROJECT, Token, deploy
from local.environment import REGION
from local.errors import NotAnswering
from local.probe import status_of
from local.waiting import until

HOME = PROJECT / ".local"
TABLES = ("Events", "Requests", "Connections", "Subscriptions", "Tickets", "Audit", "Metrics", "Limits")
_ANSWER_SECONDS = 30.0
_REFUSALS = (400, 401)


@dataclass(frozen=True)
class Stack:
    """A stack that answers: its addresses and names, as `stack.json` holds them."""

    ws_url: str
    ticket_url: str
    endpoint_url: str
    region: str
    console_url: str | None
    tables: Mapping[str, str]
    log_dir: str
    pid: int
    token_key: str
    issuer: str
    audience: str
    bucket: str
    queue_url: str
    dead_letter_queue_url: str


def up(directory: Path = HOME, say: Callable[[str], None] = print) -> Stack:
    """Start a stack that lives on when this process ends.

    Errors: StackError; nothing is left running then.
    """
    with _started(directory, say, {}) as (running_emulator, stack):
        running_emulator.detach()
        return stack


@contextlib.contextmanager
def running(directory: Path, say: Callable[[str], None] = lambda _: None, **parameters: str) -> Iterator[Stack]:
    """Start a stack in a directory of its own and stop it afterwards, also when this process is killed.

    The parameters are the template's.

    Errors: StackError.
    """
    with _started(directory, say, parameters) as (running_emulator, stack):
        try:
            yield stack
        finally:
            down(directory, running_emulator)


def down(directory: Path = HOME, own: emulator.Emulator | None = None) -> bool:
    """Stop the stack of a directory; False if none ran."""
    (directory / "stack.json").unlink(missing_ok=True)
    if own is None:
        return emulator.stop(directory)
    own.stop()
    return True


def find(directory: Path = HOME) -> Stack | None:
    """Return the stack that runs in a directory and answers; what a crash or another release left behind is none."""
    file = directory / "stack.json"
    pid = emulator.alive(directory)
    if pid is None or not file.exists():
        return None
    try:
        stack = Stack(**json.loads(file.read_text()))
    except (TypeError, ValueError):
        return None
    return stack if stack.pid == pid else None


@contextlib.contextmanager
def _started(
    directory: Path, say: Callable[[str], None], parameters: Mapping[str, str]
) -> Iterator[tuple[emulator.Emulator, Stack]]:
    directory = directory.resolve()
    say("Starting the emulator of AWS")
    started = emulator.start(directory)
    try:
        (directory / "stack.json").unlink(missing_ok=True)
        say("Building and deploying the template")
        token = Token(key=secrets.token_hex(32), issuer="streamer-local", audience="streamer")
        outputs = deploy(directory, started.endpoint_url, token, parameters)
        stack = _describe(started, outputs, token)
        _check(stack)
        _write(directory / "stack.json", stack)
    except BaseException:
        started.stop()
        raise
    yield started, stack


def _describe(started: emulator.Emulator, outputs: Mapping[str, str], token: Token) -> Stack:
    """Name a stack's parts by the addresses that answer on this machine: paths, where AWS has host names."""
    aws = started.endpoint_url + "/_aws"
    stage = urlsplit(outputs["WebSocketUrl"]).path.strip("/")
    function_url_id = urlsplit(outputs["TicketUrl"]).netloc.partition(".")[0]
    return Stack(
        ws_url=f"{aws}/execute-api/{outputs['WebSocketApiId']}/{stage}".replace("http", "ws", 1),
        ticket_url=f"{aws}/lambda-url/{function_url_id}/",
        endpoint_url=started.endpoint_url,
        region=REGION,
        console_url=started.console_url,
        tables={name: outputs[f"{name}Table"] for name in TABLES},
        log_dir=str(emulator.log_file(started.directory).parent),
        pid=started.process.pid,
        token_key=token.key,
        issuer=token.issuer,
        audience=token.audience,
        bucket=outputs["PayloadBucket"],
        queue_url=outputs["WorkQueueUrl"],
        dead_letter_queue_url=outputs["WorkDeadLetterQueueUrl"],
    )


def _check(stack: Stack) -> None:
    """See to it that the tables exist and that the functions run: one without a token is turned away."""
    dynamodb = session().client("dynamodb", endpoint_url=stack.endpoint_url)
    for table in stack.tables.values():
        dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    answers: list[int | None] = []

    def turned_away() -> bool:
        answers.append(status_of(stack.ticket_url, b"{}"))
        return answers[-1] in _REFUSALS

    if not until(turned_away, seconds=_ANSWER_SECONDS):
        message = f"POST {stack.ticket_url} without a token answers {answers[-1]}, not 400 or 401."
        raise NotAnswering(message, Path(stack.log_dir) / "emulator.log")


def _write(file: Path, stack: Stack) -> None:
    """Write at once, for the owner alone: whoever reads the key may sign tokens."""
    whole = file.with_suffix(".tmp")
    whole.touch(mode=0o600)
    whole.write_text(json.dumps(asdict(stack), indent=2) + "\n")
    os.replace(whole, file)  # noqa: PTH105
