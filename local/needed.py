"""Which modules a function needs: those that its handler's module can lead to, and no others are deployed with it.

Read from the source, nothing is imported. An import counts wherever it stands in a module, except in the composition
root: there each part imports what it is made of, so it counts only for who names the part. The catalog of actions names
modules, which count as imports.

    python -m local.needed Connect    prints the files, for the Makefile
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_SOURCES: Final = Path(__file__).resolve().parents[1]
_DEPLOYED: Final = ("domain", "projections", "adapters", "handlers", "actions")
_ROOT: Final = "handlers.bootstrap"
_CATALOG: Final = "actions.catalog"


@dataclass(frozen=True, slots=True)
class Closure:
    """Our modules that a function can lead to, and the names of packages that they import from elsewhere."""

    modules: frozenset[str]
    others: frozenset[str]

    @property
    def files(self) -> list[str]:
        """The modules' files, relative to the checkout."""
        return sorted(str(_file(module).relative_to(_SOURCES)) for module in self.modules)


def module_of(function: str) -> str:
    """The module that a function's logical id stands for."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", function).lower()


def needed(function: str) -> Closure:
    """What a function needs, by its logical id.

    Errors: LookupError when there is no such module, SyntaxError when an import is relative.
    """
    modules: set[str] = set()
    others: set[str] = set()
    left = [f"handlers.{module_of(function)}"]
    while left:
        wanted = left.pop()
        if wanted in modules:
            continue
        modules.add(wanted)
        module, _, part = wanted.partition(":")
        for name in {*_parents(module), *_wants(module, part)}:
            if name.partition(".")[0] in _DEPLOYED:
                left.append(name)
            else:
                others.add(name.partition(".")[0])
    return Closure(frozenset(name for name in modules if ":" not in name), frozenset(others))


def _parents(module: str) -> Iterator[str]:
    """The packages that are imported before a module."""
    names = module.split(".")
    return (".".join(names[:depth]) for depth in range(1, len(names)))


@cache
def _file(module: str) -> Path:
    path = _SOURCES.joinpath(*module.split("."))
    for found in (path.with_suffix(".py"), path / "__init__.py"):
        if found.is_file():
            return found
    raise LookupError(f"There is no module {module}")


def _is_module(name: str) -> bool:
    path = _SOURCES.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@cache
def _parts(module: str) -> dict[str, list[ast.stmt]]:
    """The statements of a module: of the composition root by the function they are in, else all under ""."""
    file = _file(module)
    body = ast.parse(file.read_bytes(), str(file)).body
    parts: dict[str, list[ast.stmt]] = {"": []}
    for statement in body:
        if module == _ROOT and isinstance(statement, ast.FunctionDef):
            parts[statement.name] = [statement]
        else:
            parts[""].append(statement)
    return parts


def _wants(module: str, part: str) -> Iterator[str]:
    """What the statements of a module, or of a part of the root, import and which parts of the root they name."""
    if part and part not in _parts(module):
        return  # a constant of the root: it is there whenever the root is
    for node in _running(_parts(module)[part]):
        match node:
            case ast.Import(names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(str(package), names, 0):
                yield package
                yield from (f"{package}.{alias.name}" for alias in names if _is_module(f"{package}.{alias.name}"))
                if package == _ROOT:
                    yield from (f"{_ROOT}:{alias.name}" for alias in names)
            case ast.ImportFrom():
                raise SyntaxError(f"{module} has a relative import, which nobody follows")
            case ast.Attribute(ast.Name("bootstrap"), name):
                yield f"{_ROOT}:{name}"
            case ast.Constant(str(name)) if module == _CATALOG and name.startswith("actions."):
                yield name
            case ast.Name(name) if module == _ROOT and name in _parts(module):
                yield f"{_ROOT}:{name}"
            case _:
                pass


def _running(statements: list[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes below some statements, without what is for the type checker alone."""
    for statement in statements:
        if not (isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"):
            yield from ast.walk(statement)


if __name__ == "__main__":
    sys.stdout.writelines(f"{file}\n" for file in needed(sys.argv[1]).files)
