"""`python -m local up`, `down` and `status`: the stack on this machine, in the background."""

import argparse
import sys

from local import emulator, stack
from local.errors import StackError


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status"))
    command = parser.parse_args(arguments).command
    try:
        return {"up": _up, "down": _down, "status": _status}[command]()
    except (StackError, OSError) as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _up() -> int:
    found = stack.find()
    print("The stack is up already." if found else "Starting the stack; `make down` stops it.")
    _show(found or stack.up(say=lambda step: print(f"  {step} …", flush=True)))
    return 0


def _down() -> int:
    print("The stack is stopped." if stack.down() else "No stack is up.")
    return 0


def _status() -> int:
    found = stack.find()
    if found is None:
        print("A stack is starting." if emulator.alive(stack.HOME) else "No stack is up; `make up` starts it.")
        return 1
    _show(found)
    return 0


def _show(found: stack.Stack) -> None:
    print(f"  WebSocket  {found.ws_url}")
    print(f"  Tickets    {found.ticket_url}")
    if found.console_url is not None:
        print(f"  Console    {found.console_url}")
    print(f"  Logs       {found.log_dir}")


if __name__ == "__main__":
    sys.exit(main())
