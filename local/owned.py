"""Runs a command that ends when the process that owns it is gone: `owned.py PIPE COMMAND…`, in a group of its own."""

import os
import signal
import subprocess
import sys
import threading


def end_with_owner(pipe: int) -> None:
    """End the process group when the owner's end of the pipe closes."""
    os.read(pipe, 1)
    os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with_owner, args=(int(sys.argv[1]),), daemon=True).start()
    sys.exit(subprocess.run(sys.argv[2:], check=False).returncode)
