"""The `streamer` command against a server on real sockets: what it prints, and its exit codes."""

import asyncio
import io
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from rich.console import Console

from client import cli
from client.bars import Bars
from client.updates import Update
from domain.protocol import MAX_BATCH
from tests.client.scripted_server import ScriptedServer, error

KEY = "k" * 64


@dataclass(frozen=True)
class Ran:
    """How a run of the command ended."""

    code: int
    out: str
    err: str


Streamer = Callable[..., Awaitable[Ran]]


@pytest.fixture
def streamer(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Streamer:
    """The command in a directory below one with a stack, at 80 columns."""
    described = {"ws_url": server.url, "token_key": KEY, "issuer": "me", "audience": "you", "pid": 1, "later": {}}
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(described))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.setenv("STREAMER_TOKEN", "t0ken")
    monkeypatch.setenv("COLUMNS", "80")

    async def run(*arguments: str, wide: bool = False) -> Ran:
        try:
            code = await asyncio.to_thread(cli.main, arguments)
        except SystemExit as usage:
            code = int(str(usage.code))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        narrow = (line for line in captured.out.splitlines() if not line.startswith(("{", "[", "ey")))
        assert wide or all(len(line) <= 80 for line in narrow)
        return Ran(code, captured.out, captured.err)

    return run


def completes_at_once(server: ScriptedServer, **data: Any) -> None:
    """Have submitted requests run to their end while they are acknowledged."""

    async def submit(frame: dict[str, Any], socket: Any) -> Any:
        reply = server._submit(frame, socket)
        server.append("r1", "AttemptStarted")
        server.progress("r1", 50)
        server.append("r1", *(["RequestFailed"] if "error" in data else ["RequestCompleted"]), **data)
        for version in range(1, 5):
            await server.push("r1", version)
        return reply

    server.on["submit"] = submit


async def test_a_token_carries_who_it_is_for(streamer: Streamer) -> None:
    made = await streamer(
        "token", "--tenant", "acme", "--user", "ann", "--scope", "tenant:read", "--scope", "tenant:write"
    )
    claims = jwt.decode(made.out.strip(), KEY, algorithms=["HS256"], issuer="me", audience="you")
    assert (claims["tenant_id"], claims["sub"], claims["scope"]) == ("acme", "ann", "tenant:read tenant:write")
    assert claims["exp"] - claims["iat"] == 3600


async def test_a_token_is_made_with_a_key_that_the_user_has_where_no_stack_is(
    streamer: Streamer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for_whom = ("token", "--tenant", "acme", "--user", "ann", "--issuer", "theirs", "--audience", "ours")
    keyless = await streamer(*for_whom)
    assert (keyless.code, "STREAMER_TOKEN_KEY" in keyless.err) == (2, True)
    monkeypatch.setenv("STREAMER_TOKEN_KEY", "")
    assert await streamer(*for_whom) == keyless
    monkeypatch.setenv("STREAMER_TOKEN_KEY", "k" * 32)
    made = await streamer(*for_whom)
    assert (
        jwt.decode(made.out.strip(), "k" * 32, algorithms=["HS256"], issuer="theirs", audience="ours")["sub"] == "ann"
    )


async def test_submit_prints_the_request(server: ScriptedServer, streamer: Streamer) -> None:
    done = await streamer("submit", "report", '{"n": 1}', "--priority", "9", "--delay-s", "3", "--key", "k")
    assert (done.code, done.out.strip()) == (0, "r1")
    sent = server.received("submit")[0]
    assert (sent["payload"], sent["priority"], sent["delay_s"], sent["idempotency_key"]) == ({"n": 1}, 9, 3, "k")


async def test_submit_takes_its_payload_from_a_file(server: ScriptedServer, streamer: Streamer, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"exact": 0.1000000000000000000001}')
    assert (await streamer("submit", "report", f"@{tmp_path / 'input.json'}")).code == 0
    assert str(server.received("submit")[0]["payload"]["exact"]) == "0.1000000000000000000001"


async def test_a_watched_submit_prints_each_step_and_the_result(server: ScriptedServer, streamer: Streamer) -> None:
    completes_at_once(server, result={"rows": 3, "link": "https://x/" + "y" * 50})
    done = await streamer("submit", "report", "--watch")
    assert done.code == 0
    for expected in ("r1", "PENDING", "PROCESSING", "50 %", "COMPLETED", "rows  3", "https://x/" + "y" * 50):
        assert expected in done.out


async def test_a_failed_request_exits_with_one_and_says_why(server: ScriptedServer, streamer: Streamer) -> None:
    completes_at_once(server, error={"code": "BROKEN", "message": "no luck"})
    done = await streamer("submit", "report", "--watch")
    assert done.code == 1
    assert "no luck" in done.err


async def test_watch_as_json_is_one_object_a_line(server: ScriptedServer, streamer: Streamer) -> None:
    server.append("r1", "RequestSubmitted", "AttemptStarted")
    server.append("r1", "RequestCompleted", result=[1, "two", "three" * 40])
    done = await streamer("watch", "r1", "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line.get("version") for line in lines] == [1, 2, 3, None]
    assert lines[-1] == {"result": [1, "two", "three" * 40]}


async def test_a_synchronous_action_prints_its_value(streamer: Streamer) -> None:
    assert (await streamer("submit", "echo", '"[red]hello[/]"')).out == "[red]hello[/]\n"


async def test_get_prints_the_state_and_the_result(server: ScriptedServer, streamer: Streamer) -> None:
    server.append("r1", "RequestSubmitted", "RequestCompleted")
    done = await streamer("get", "r1")
    assert "COMPLETED" in done.out
    assert "42" in done.out
    assert json.loads((await streamer("get", "r1", "--at", "1", "--json")).out)["state"]["status"] == "PENDING"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
async def test_what_a_terminal_has_no_signs_for_is_written_as_json_does(
    server: ScriptedServer, streamer: Streamer, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    server.append("r1", "RequestSubmitted", reason="☃ é 😀")

    async def printed(*arguments: str) -> str:
        terminal = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, encoding=encoding))
        assert (await streamer(*arguments)).code == 0
        return terminal.getvalue().decode(encoding)

    assert "\\u2603" in await printed("history", "r1")
    assert json.loads(await printed("history", "r1", "--json"))[0]["data"]["reason"] == "☃ é 😀"


EVIL = "\x1b]0;owned\x07\x1b[2J\x9b2J[bold]x[/bold] [/] :boom:"
SHOWN = "\\u001b]0;owned\\u0007\\u001b[2J\\u009b2J[bold]x[/bold] [/] :boom:"


@pytest.mark.parametrize(
    "command",
    [
        ("history", "r1"),
        ("get", "r1"),
        ("get", "r1", "--json"),
        ("list",),
        ("explain", "r1"),
        ("audit",),
        ("watch", "r1"),
        ("watch", "r1", "--json"),
        ("submit", "echo", json.dumps(EVIL)),
        ("submit", "echo", json.dumps({EVIL: EVIL})),
    ],
)
async def test_what_others_wrote_is_shown_as_they_wrote_it_and_no_terminal_obeys_it(
    server: ScriptedServer, streamer: Streamer, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    server.append("r1", "RequestSubmitted", reason=EVIL)
    server.append("r1", "ProgressReported", percent=50, message=EVIL)
    server.append("r1", "RequestCompleted", result=EVIL)
    state = {"status": EVIL, "action": EVIL, "submitted_at": "2026-01-02T03:04:05.678Z"}
    entry = {"at": "2026-01-02T03:04:05.678Z", "type": "RequestCancelled", "user_id": EVIL, "reason": EVIL}
    why = {
        "request_id": "r1",
        "version": 3,
        "view_version": 3,
        "state": {},
        "attempts": [],
        "watchers": [],
        "why": EVIL,
    }
    server.on |= {
        "list": lambda *_: {"type": "requests", "items": [{"request_id": EVIL, "version": 3, "state": state}]},
        "audit": lambda *_: {"type": "audit", "items": [entry]},
        "explain": lambda *_: {"type": "explanation", **why},
        "get": lambda *_: {"type": "request", "request_id": "r1", "version": 3, "state": state},
    }
    done = await streamer(*command, wide=True)
    assert (done.code, done.err) == (0, "")
    assert SHOWN in done.out
    assert not {"\x1b", "\x07", "\x9b"} & set(done.out)


async def test_what_a_failed_action_wrote_is_told_as_it_wrote_it(server: ScriptedServer, streamer: Streamer) -> None:
    completes_at_once(server, error={"code": "BROKEN", "message": EVIL})
    done = await streamer("submit", "report", "--watch", wide=True)
    assert (done.code, SHOWN in done.err) == (1, True)


@pytest.mark.parametrize("status", ["PROCESSING", "[/x]"])
def test_a_bar_shows_a_message_as_it_was_written(status: str) -> None:
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=200, color_system=None, legacy_windows=False)
    with Bars(console) as bars:
        update = Update(
            request_id="r1",
            from_version=1,
            version=1,
            type="ProgressReported",
            at=datetime.now(UTC),
            data={"percent": 10, "message": EVIL + "\\"},
            state={"status": status},
        )
        bars.add("[red]").show(update)
    assert f"{status} {SHOWN}\\" in terminal.getvalue()
    assert "[red]" in terminal.getvalue()


async def test_history_is_a_table_that_fits(server: ScriptedServer, streamer: Streamer) -> None:
    server.append("r1", "RequestSubmitted", action="report", reason="because " * 40)
    server.append("r1", "AttemptStarted", attempt=1, lease_until="2026-01-01T00:00:00.000Z")
    done = await streamer("history", "r1")
    assert done.code == 0
    assert "AttemptStarted" in done.out


async def test_lists_metrics_and_audit_are_tables(server: ScriptedServer, streamer: Streamer) -> None:
    state = {"status": "FAILED", "action": "report", "percent": 12.5, "submitted_at": "2026-01-02T03:04:05.678Z"}
    row = {"at": "2026-01-02T03:04:00.000Z", "submitted": 3, "failed": 1}
    entry = {"at": "2026-01-02T03:04:05.678Z", "type": "RequestFailed", "user_id": "ann", "request_id": "r1"}
    items = [{"request_id": "0190a0b0-1234-7abc-8def-0123456789ab", "version": 3, "state": state}]
    server.on |= {
        "list": lambda *_: {"type": "requests", "items": items},
        "metrics": lambda *_: {"type": "metrics", "rows": [row], "totals": {"submitted": 3, "failed": 1}},
        "audit": lambda *_: {"type": "audit", "items": [entry]},
    }
    listed = await streamer("list", "--status", "failed", "--tenant-wide")
    assert listed.out.split()[-5:] == ["0190a0b0-1234-7abc-8def-0123456789ab", "report", "FAILED", "01-02", "03:04"]
    assert server.received("list")[0]["scope"] == "tenant"
    assert "2026-01-02 03:04" in (await streamer("metrics", "--from", "2026-01-02", "--to", "2026-01-03T00:00Z")).out
    assert "cancelled" in (await streamer("metrics")).out
    assert server.received("metrics")[0]["from"] == "2026-01-02T00:00:00.000Z"
    assert "RequestFailed" in (await streamer("audit", "--day", "2026-01-02")).out


@pytest.mark.parametrize("columns", ["65", "40"])
async def test_no_narrow_terminal_cuts_a_requests_id(
    server: ScriptedServer, streamer: Streamer, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    request_id = "0190a0b0-1234-7abc-8def-0123456789ab"
    state = {"status": "PROCESSING", "action": "report", "percent": 12.5, "submitted_at": "2026-01-02T03:04:05.678Z"}
    items = [{"request_id": request_id, "version": 3, "state": state}]
    server.on["list"] = lambda *_: {"type": "requests", "items": items}
    lines = (await streamer("list")).out.splitlines()
    assert "".join(line.split(" ")[0] for line in lines[2:]) == request_id


async def test_cancel_and_ping_say_what_the_server_said(server: ScriptedServer, streamer: Streamer) -> None:
    server.append("r1", "RequestSubmitted")
    assert (await streamer("cancel", "r1", "--reason", "enough")).out.split() == ["r1", "CANCELLED"]
    assert "1970-01-01T00:00:00.000Z" in (await streamer("ping")).out


async def test_a_refused_command_exits_with_one(streamer: Streamer) -> None:
    done = await streamer("watch", "unknown")
    assert (done.code, "NOT_FOUND" in done.err) == (1, True)


async def test_a_refused_or_missing_server_exits_with_three(server: ScriptedServer, streamer: Streamer) -> None:
    server.refuse_all = 401
    assert (await streamer("ping")).code == 3
    server.refuse_all = 503
    done = await streamer("ping")
    assert (done.code, "No connection" in done.err) == (3, True)


async def test_no_stack_exits_with_three(
    streamer: Streamer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    done = await streamer("ping")
    assert (done.code, "make up" in done.err) == (3, True)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("submit",),
        ("submit", "a", "{"),
        ("submit", "a", "@/no/such/file"),
        ("submit", "a", "--priority", "10"),
        ("token", "--tenant", "t"),
        ("token", "--tenant", "t", "--user", "u", "--ttl", "999999999999"),
        ("metrics", "--from", "yesterday"),
        ("metrics", "--to", "0001-01-01"),
        ("metrics", "--from", "9999-12-31T23:59:59-12:00"),
        ("audit", "--day", "2026-01-01", "--request", "r1"),
        ("list", "--limit", "0"),
    ],
)
async def test_a_wrong_command_line_exits_with_two(streamer: Streamer, arguments: tuple[str, ...]) -> None:
    assert (await streamer(*arguments)).code == 2


async def test_no_token_exits_with_two(streamer: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMER_TOKEN")
    done = await streamer("ping")
    assert (done.code, "--tenant" in done.err) == (2, True)


async def test_an_empty_token_is_none(streamer: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_TOKEN", "")
    done = await streamer("ping")
    assert (done.code, "No token" in done.err) == (2, True)


@pytest.mark.parametrize("half", [("--tenant", "acme"), ("--user", "ann")])
async def test_half_of_whom_a_token_is_for_is_refused_whatever_token_there_is(
    streamer: Streamer, half: tuple[str, str]
) -> None:
    done = await streamer("ping", *half)
    assert (done.code, "one of the two is not enough" in done.err) == (2, True)


async def test_a_token_is_made_for_a_named_user_with_the_scopes_of_the_command(
    server: ScriptedServer, streamer: Streamer
) -> None:
    server.on["audit"] = lambda *_: error("FORBIDDEN", "needs the scope tenant:read")
    await streamer("audit", "--tenant", "acme", "--user", "ann")
    token = server.headers[0]["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, KEY, algorithms=["HS256"], issuer="me", audience="you")
    assert (claims["sub"], claims["scope"]) == ("ann", "tenant:read")


async def test_the_command_submits_a_file_of_lines(server: ScriptedServer, streamer: Streamer, tmp_path: Path) -> None:
    lines = tmp_path / "work.jsonl"
    lines.write_text('{"action":"report","payload":{"n":0.10}}\n\n{"action":"report","idempotency_key":"k"}\n')
    done = await streamer("submit-many", str(lines))
    assert (done.code, done.out.split()) == (0, ["r1", "r2"])
    (batch,) = server.received("submit_batch")
    assert str(batch["items"][0]["payload"]["n"]) == "0.10"
    assert batch["items"][1]["idempotency_key"] == "k"


async def test_a_line_ends_where_json_lines_do(server: ScriptedServer, streamer: Streamer, tmp_path: Path) -> None:
    lines = tmp_path / "work.jsonl"
    text = "one\u2028two\x85three\u2029four"
    lines.write_bytes(f'{{"action":"report","payload":"{text}"}}\r\n{{"action":"report"}}'.encode())
    done = await streamer("submit-many", str(lines))
    assert (done.code, done.out.split()) == (0, ["r1", "r2"])
    assert server.received("submit_batch")[0]["items"][0]["payload"] == text


@pytest.mark.parametrize("metadata", ["5", '"ab"', '["ab"]'])
async def test_metadata_of_another_type_is_left_to_the_server(
    server: ScriptedServer, streamer: Streamer, tmp_path: Path, metadata: str
) -> None:
    lines = tmp_path / "work.jsonl"
    lines.write_text(f'{{"action":"report","metadata":{metadata}}}\n')
    server.on["submit_batch"] = lambda *_: {"type": "acks", "items": [error("VALIDATION_ERROR", "metadata")]}
    done = await streamer("submit-many", str(lines))
    assert (done.code, "VALIDATION_ERROR: metadata" in done.out) == (1, True)
    assert server.received("submit_batch")[0]["items"][0]["metadata"] == json.loads(metadata)


async def test_the_command_prints_what_was_refused_and_exits_with_one(
    server: ScriptedServer, streamer: Streamer, tmp_path: Path
) -> None:
    lines = tmp_path / "work.jsonl"
    lines.write_text('{"action":"report"}\n{"action":"none"}\n')
    server.on["submit_batch"] = lambda frame, socket: {
        "type": "acks",
        "items": [server._submit(frame["items"][0], socket), error("INVALID_ACTION", "unknown action")],
    }
    done = await streamer("submit-many", str(lines), "--json")
    assert (done.code, done.out) == (
        1,
        '{"request_id":"r1"}\n{"code":"INVALID_ACTION","message":"unknown action"}\n',
    )


async def test_the_command_prints_what_was_taken_in_and_what_nobody_answered(
    server: ScriptedServer, streamer: Streamer, tmp_path: Path
) -> None:
    def first_refused(frame: dict[str, Any], socket: Any) -> Any:
        server.on["submit_batch"] = gone
        items = [server._submit(item, socket) for item in frame["items"]]
        return {"type": "acks", "items": [error("INVALID_ACTION", "unknown action"), *items[1:]]}

    def gone(_: object, socket: Any) -> None:
        server.refuse_all = 401
        socket.transport.abort()

    server.on["submit_batch"] = first_refused
    lines = tmp_path / "work.jsonl"
    lines.write_text('{"action":"report"}\n' * (MAX_BATCH + 2))
    done = await streamer("submit-many", str(lines))
    printed = done.out.splitlines()
    assert (done.code, printed[0]) == (3, "INVALID_ACTION: unknown action")
    assert printed[1:MAX_BATCH] == [f"r{n}" for n in range(2, MAX_BATCH + 1)]
    assert printed[MAX_BATCH:] == ["no answer: ConnectRefused"] * 2


@pytest.mark.parametrize("text", ['{"actoin":"report"}', "[1]", "{", '{"payload":1}'])
async def test_a_file_that_is_not_submissions_exits_with_two(streamer: Streamer, tmp_path: Path, text: str) -> None:
    lines = tmp_path / "work.jsonl"
    lines.write_text('{"action":"report"}\n\n' + text)
    done = await streamer("submit-many", str(lines))
    assert (done.code, "line 3: " in done.err) == (2, True)
    assert (await streamer("submit-many", str(tmp_path / "none"))).code == 2
