"""Uploads the console to a deployed stack that has one: `python -m tools.publish_console STACK`."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from client.stack import StackNotFound, user_session
from local.console import FILES, TYPES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A browser asks each time whether a file has changed: all of a release's files go together.
_FRESH: Final = "no-cache"
Say = Callable[[str], None]


def publish(s3: "S3Client", outputs: Mapping[str, str], say: Say = lambda _: None) -> None:
    """Put the console's files and its config.json into the stack's bucket, and remove what was there besides."""
    bucket = outputs["ConsoleBucket"]
    config = {"ws_url": outputs["WebSocketUrl"], "ticket_url": outputs["TicketUrl"]}
    files = {file.name: (file.read_bytes(), TYPES[file.suffix]) for file in FILES.iterdir() if file.suffix in TYPES}
    files["config.json"] = (json.dumps(config).encode(), "application/json")
    # The page last: whoever loads it finds its modules.
    for name in sorted(files, key=lambda name: (name == "index.html", name)):
        content, kind = files[name]
        s3.put_object(Bucket=bucket, Key=name, Body=content, ContentType=kind, CacheControl=_FRESH)
        say(name)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for there in page.get("Contents", ()):
            if there["Key"] not in files:
                s3.delete_object(Bucket=bucket, Key=there["Key"])
                say(f"{there['Key']} removed")


def outputs_of(cloudformation: Any, stack: str) -> dict[str, str]:
    """The outputs of a stack; LookupError when it has no console."""
    (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())}
    if "ConsoleBucket" not in outputs:
        raise LookupError(f"{stack} has no console: deploy it with the parameter Console=true")
    return outputs


def main(arguments: list[str] | None = None) -> int:
    """Upload to the stack that the command line names; the exit code."""
    (stack,) = sys.argv[1:] if arguments is None else arguments
    try:
        aws = user_session()
        outputs = outputs_of(aws.client("cloudformation"), stack)
        publish(aws.client("s3"), outputs, print)
    except (StackNotFound, LookupError, BotoCoreError, ClientError) as exc:
        print(exc, file=sys.stderr)
        return 1
    print(outputs["ConsoleUrl"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
