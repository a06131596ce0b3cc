"""The catalog: importing it registers every action that ships; a new action is one more import here."""

from actions import delay, echo, generate_report, process_data
from actions.registry import Registry, registered

__all__ = ["delay", "echo", "generate_report", "process_data"]


def catalog() -> Registry:
    """The actions of this deployment."""
    return registered()
