"""Finding the stack to talk to: the one that runs on this machine, or a deployed one by its name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import ValidationError, convert

from client.errors import ClientError
from domain import exact_json
from domain.errors import InvalidJson

if TYPE_CHECKING:
    import boto3

FILE: Final = Path(".local") / "stack.json"


class StackNotFound(ClientError):
    """There is no stack where it was looked for."""

    message = "No stack found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What a client needs to know of a stack; the rest only of one that runs on this machine."""

    ws_url: str
    ticket_url: str = ""
    endpoint_url: str | None = None
    region: str | None = None
    console_url: str | None = None
    log_dir: str = ""
    tables: Mapping[str, str] = field(default_factory=dict)
    token_key: str | None = field(default=None, repr=False)
    issuer: str = ""
    audience: str = ""


def local_stack(start: Path) -> Stack:
    """The stack that `make up` started, described in a directory or one above it."""
    for directory in (start, *start.parents):
        file = directory / FILE
        if file.is_file():
            return _described(file)
    raise StackNotFound("start one with `make up`, or name a deployed one with --stack", directory=start)


def user_session() -> "boto3.Session":
    """The user's account and Region on AWS; StackNotFound when there is no such profile.

    AWS_REGION is what its other tools and SDKs read. boto3 does not, and neither does sam, so AWS_DEFAULT_REGION goes
    first: a stack is looked for where sam has deployed it.
    """
    import boto3  # noqa: PLC0415 - slow to import, and only what goes to AWS needs it
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - likewise

    try:
        return boto3.Session(region_name=os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION"))
    except BotoCoreError as exc:
        raise StackNotFound(str(exc)) from exc


def deployed_stack(name: str) -> Stack:
    """A stack on AWS, by the outputs of its CloudFormation stack."""
    from botocore import config, exceptions  # noqa: PLC0415 - slow to import, and only this needs it

    brief = config.Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=5, read_timeout=20)
    try:
        stacks = user_session().client("cloudformation", config=brief).describe_stacks(StackName=name)["Stacks"]
    except (exceptions.BotoCoreError, exceptions.ClientError) as exc:
        raise StackNotFound(str(exc), stack=name) from exc
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
    if "WebSocketUrl" not in outputs:
        raise StackNotFound("it has no output WebSocketUrl", stack=name)
    return Stack(ws_url=outputs["WebSocketUrl"], ticket_url=outputs.get("TicketUrl", ""))


def _described(file: Path) -> Stack:
    try:
        return convert(exact_json.decode(file.read_bytes()), Stack)
    except (OSError, InvalidJson, ValidationError) as exc:
        raise StackNotFound(f"the file does not describe a stack: {exc}", file=file) from exc
