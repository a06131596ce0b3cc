"""The catalog: every action that ships, and the module that registers it; a new action is one more line here.

A module is loaded when its action is asked for, so that a function's start costs what it runs, not all there is.
"""

from collections.abc import Mapping
from typing import Final

from actions.registry import Registry, registered

MODULES: Final[Mapping[str, str]] = {
    "delay": "actions.delay",
    "echo": "actions.echo",
    "echo_async": "actions.echo",
    "generate_report": "actions.generate_report",
    "process_data": "actions.process_data",
}


def catalog() -> Registry:
    """The actions of this deployment."""
    return registered(MODULES)
