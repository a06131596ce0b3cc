"""The `streamer` command: what the client understands, and the tools that need no connection."""

import sys
from collections.abc import Sequence

from client import cli
from tools.arguments import add_capture, add_redrive, add_replay
from tools.arguments_operators import add_audit, add_doctor, add_rebuild, add_reconcile


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    return cli.main(
        arguments, (add_replay, add_capture, add_rebuild, add_reconcile, add_audit, add_doctor, add_redrive)
    )


if __name__ == "__main__":
    sys.exit(main())
