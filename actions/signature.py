"""What a function must look like to be an action, told where it is written and not where it is called."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from actions.context import Context


def input_of(name: str, run: Callable[..., Any]) -> Any:
    """The type of the first parameter; TypeError for what cannot be called as actions are."""
    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    if any(is_kind(run) for is_kind in kinds):
        raise TypeError(f"action {name}: a plain function that returns its result, not one to await or to iterate")
    shape = inspect.signature(run)
    try:
        shape.bind(None, None)
    except TypeError as exc:
        raise TypeError(f"action {name}: a function of (payload, context), not of {shape}") from exc
    first = next(iter(shape.parameters.values()))
    if first.annotation is first.empty:
        raise TypeError(f"action {name}: {first.name} has no type; Any takes whatever JSON can hold")
    kind = get_type_hints(run)[first.name]
    if kind is Context:
        raise TypeError(f"action {name}: the payload comes first, then the context")
    return kind
