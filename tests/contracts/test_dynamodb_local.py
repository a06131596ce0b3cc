"""DynamoDB Local answers on this machine alone, and leaves nothing behind."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError

from local import dynamodb_local
from local.aws import session
from local.probe import status_of
from local.waiting import until

OWNER = """
import signal, sys
from pathlib import Path
from local import dynamodb_local

with dynamodb_local.running(Path(sys.argv[1])) as url:
    print(url, flush=True)
    signal.pause()
"""


def own_address() -> str | None:
    """This machine's address in its network, if it has one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return None if address.startswith("127.") else address


def test_it_takes_calls_from_this_machine_alone_and_ends_with_its_block(tmp_path: Path) -> None:
    with dynamodb_local.running(tmp_path) as url:
        inside = session().client("dynamodb", endpoint_url=url)
        assert inside.list_tables()["TableNames"] == []
        address = own_address()
        if address:
            outside = session().client("dynamodb", endpoint_url=url.replace("127.0.0.1", address))
            with pytest.raises(BotoCoreError):
                outside.list_tables()
        assert inside.list_tables()["TableNames"] == []
    assert status_of(url) is None


def test_it_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout as says:
        url = says.readline().strip()
    assert status_of(url) is not None
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert until(lambda: status_of(url) is None, seconds=60)
