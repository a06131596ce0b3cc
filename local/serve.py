"""The emulator's process: MiniStack, which ends with all its workers when the process that owns it is gone.

The console is served beside it, from a thread.

MiniStack keeps what most functions print to itself. Here each line goes to log/functions.log, after its function.
"""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from ministack.app import main
from ministack.core.lambda_runtime import Worker

from local import console

FUNCTIONS_LOG = Path("log", "functions.log")


def end_with_owner(pipe: int) -> None:
    """End the process group when the owner's end of the pipe closes; a byte from the owner lets it go on alone."""
    if not os.read(pipe, 1):
        os.killpg(0, signal.SIGTERM)


def read_stderr(worker: Any) -> None:
    """Write each line that a worker prints to the log, and hand it on as MiniStack's own reader does."""
    # CloudFormation's names: stack-LogicalId-random.
    logical_id = worker.func_name.split("-")[1] if "-" in worker.func_name else worker.func_name
    with FUNCTIONS_LOG.open("a", buffering=1) as log:
        for line in worker._proc.stderr:  # noqa: SLF001
            log.write(f"{logical_id} {line.rstrip()}\n")
            worker._stderr_queue.put(line.rstrip("\n"))  # noqa: SLF001


if __name__ == "__main__":
    console_port, owner_pipe = int(sys.argv.pop()), int(sys.argv.pop())
    threading.Thread(target=end_with_owner, args=(owner_pipe,), daemon=True).start()
    Worker._read_stderr = read_stderr  # noqa: SLF001
    console.serve(console_port, Path("stack.json").absolute())
    main()
