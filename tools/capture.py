"""`streamer capture`: a table's stream as a file of its records, one a line, as Lambda would be handed them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from client.stack import StackNotFound, local_stack
from domain import exact_json
from local.aws import session
from tools.streams import StreamReader


def capture_local(table: str, out: Path) -> int:
    """Record a stream of the stack on this machine; the exit code."""
    console = Console(stderr=True, highlight=False)
    stack = local_stack(Path.cwd())
    name = stack.tables.get(table.capitalize())
    if stack.endpoint_url is None or name is None:
        raise StackNotFound("it does not say where its tables are", table=table)
    try:
        with console.status(f"Reading the stream of {name}"):
            client = session().client("dynamodbstreams", endpoint_url=stack.endpoint_url, region_name=stack.region)
            count = write(StreamReader(client, name).read(), out)
    except (BotoCoreError, ClientError) as exc:
        raise StackNotFound(str(exc), endpoint=stack.endpoint_url) from exc
    except OSError as exc:
        console.print(Text(f"streamer: {exc}"), soft_wrap=True)
        return 1
    console.print(Text(f"{count} records → {out}"), soft_wrap=True)
    return 0


def write(records: Iterable[Mapping[str, Any]], out: Path) -> int:
    """Write records, one a line; how many there were."""
    lines = [f"{exact_json.encode(record)}\n" for record in records]
    out.write_text("".join(lines), encoding="utf-8")
    return len(lines)
