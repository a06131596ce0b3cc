"""Every example in the client's guide runs, against the whole stack."""

import ast
import inspect
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from client.tokens import make_token
from local.stack import Stack

GUIDE = Path(__file__).parents[2] / "docs" / "client.md"
EXAMPLES = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


async def run(code: str, names: dict[str, Any]) -> None:
    """Run an example as a module with `await` at its top."""
    compiled = compile(code, str(GUIDE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    made = eval(compiled, names)  # noqa: S307 - our own text
    if inspect.isawaitable(made):
        await made


@pytest.mark.parametrize("section", [title for title, text in EXAMPLES if "```python" in text])
async def test_the_examples_of_the_guide_run(stack: Stack, tenant: str, section: str) -> None:
    token = make_token(stack, tenant=tenant, user="ann", now=datetime.now(UTC))
    names: dict[str, Any] = {"url": stack.ws_url, "ticket_url": stack.ticket_url, "token": token}
    names |= {"tenant": tenant, "user": "ann"}
    await run("from client import StreamerClient", names)  # as the first example says
    for code in re.findall(r"```python\n(.*?)```", dict(EXAMPLES)[section], re.DOTALL):
        await run(code, names)


def test_there_are_examples() -> None:
    assert sum(text.count("```python") for _, text in EXAMPLES) >= 8
