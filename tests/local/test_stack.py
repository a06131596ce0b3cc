"""The stack is found where it runs, and a failed start leaves nothing behind."""

import json
import stat
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from local import deploy, emulator, stack
from local.__main__ import main
from local.errors import DeployFailed
from local.stack import Stack

ANY = Stack(
    ws_url="ws://127.0.0.1:1/_aws/execute-api/api/live",
    ticket_url="http://127.0.0.1:1/_aws/lambda-url/url/",
    endpoint_url="http://127.0.0.1:1",
    region="us-east-1",
    console_url=None,
    tables={"Events": "events"},
    log_dir="log",
    pid=1,
    token_key="key",
    issuer="issuer",
    audience="audience",
    bucket="bucket",
    queue_url="queue",
    dead_letter_queue_url="dead",
)


def test_what_a_crash_left_behind_is_no_stack(tmp_path: Path) -> None:
    stack._write(tmp_path / "stack.json", ANY)
    assert stack.find(tmp_path) is None
    started = emulator.start(tmp_path)
    assert stack.find(tmp_path) is None
    started.stop()


@pytest.mark.parametrize("text", ["", "[]", '{"ws_url": "ws://x", "pid": 1}', '{"pid": 1, "later": 1}'])
def test_what_another_release_described_is_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "stack.json").write_text(text)
    monkeypatch.setattr(emulator, "alive", lambda _: 1)
    assert stack.find(tmp_path) is None


def test_it_is_read_as_it_was_written_and_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    stack._write(file, ANY)
    assert json.loads(file.read_text()) == asdict(ANY)
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR


def test_the_outputs_of_the_template_become_addresses_on_this_machine(tmp_path: Path) -> None:
    outputs = {
        "WebSocketApiId": "abc",
        "WebSocketUrl": "wss://abc.execute-api.us-east-1.amazonaws.com/live",
        "TicketUrl": "https://xyz.lambda-url.us-east-1.on.aws/",
        "PayloadBucket": "bucket",
        "WorkQueueUrl": "queue",
        "WorkDeadLetterQueueUrl": "dead",
        **{f"{name}Table": name.lower() for name in stack.TABLES},
    }
    started = emulator.start(tmp_path)
    found = stack._describe(started, outputs, deploy.Token("key", "issuer", "audience"))
    started.stop()
    assert found.ws_url == f"ws://127.0.0.1:{started.port}/_aws/execute-api/abc/live"
    assert found.ticket_url == f"http://127.0.0.1:{started.port}/_aws/lambda-url/xyz/"
    assert found.tables["Audit"] == "audit"


def test_a_template_that_sam_refuses_is_told_with_the_log_and_stops_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "template.yaml").write_text("Resources: {Broken: {Type: AWS::Serverless::Function}}")
    monkeypatch.setattr(deploy, "PROJECT", tmp_path)
    with pytest.raises(DeployFailed) as refused, stack.running(tmp_path / "stack"):
        pytest.fail("it started")
    assert refused.value.log == tmp_path / "stack" / "log" / "sam-build.log"
    assert "sam build failed" in str(refused.value)
    assert emulator.alive(tmp_path / "stack") is None


@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_a_folder_that_cannot_be_used_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / ".local").touch()
    for used in (stack.find, stack.down):
        monkeypatch.setattr(stack, used.__name__, partial(used, tmp_path / ".local"))
    assert main([command]) == 1
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert str(tmp_path / ".local") in told


def test_a_stack_that_never_ran_is_not_stopped(tmp_path: Path) -> None:
    assert not stack.down(tmp_path / "nowhere")
