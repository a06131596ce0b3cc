"""The functions import nothing that is neither in the layer nor in Lambda's own runtime.

On this machine they run on the Python of .venv, where a package that was forgotten in requirements.txt would be found.
"""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("domain", "projections", "adapters", "handlers", "actions")
OF_LAMBDA = {"boto3", "botocore"}


def test_every_package_that_the_functions_import_is_in_the_layer_or_in_the_runtime() -> None:
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    there = {normal(name) for name in pinned} | OF_LAMBDA
    owners = packages_distributions()
    imported = {name for package in OURS for file in (ROOT / package).rglob("*.py") for name in imports_of(file)}
    missing = {name: owners.get(name) for name in imported if not {normal(o) for o in owners.get(name, [])} & there}
    assert not missing
    assert {"boto3", "pydantic", "jwt", "simplejson", "aws_lambda_powertools"} <= imported


def imports_of(file: Path) -> Iterator[str]:
    """The top-level names that a module imports from outside when it runs."""
    for node in running(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for name in (name.partition(".")[0] for name in names):
            if name not in sys.stdlib_module_names and name not in OURS:
                yield name


def running(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports of a tree that are not for the type checker alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            yield from running(node)


def normal(name: str) -> str:
    """A distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
