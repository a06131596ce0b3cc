"""The operators' commands as a user runs them: what they print, and how they exit."""

import csv
import json
import sqlite3
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from client.cli import FAILED, INTERRUPTED, NOT_CONNECTED, OK, USAGE
from client.stack import FILE
from domain import exact_json
from tests.adapters.wrapped import client_error
from tests.kit.people import connect
from tests.kit.requests import Whose
from tests.kit.stories import completed
from tests.kit.tables import Aws
from tests.kit.world import World
from tools import building, operators, rebuild, redrive, streamer
from tools.arguments_operators import SHADOWS
from tools.operated import TABLES
from tools.shadow import Shadow

OF_THE_STACK = (
    "rebuild requests",
    "reconcile",
    "audit verify",
    "audit export --tenant acme",
    "doctor",
    "redrive failures",
    "redrive work",
)


class Account:
    """A session whose account has one stack, called mine: moto has no CloudFormation without a lot more installed."""

    def __init__(self, aws: Aws) -> None:
        self.outputs = {f"{short}Table": aws.tables[short] for short in TABLES}
        dead = aws.sqs.get_queue_url(QueueName="WorkDeadLetterQueue")["QueueUrl"]
        self.outputs |= {"WorkQueueUrl": aws.queue_url, "WorkDeadLetterQueueUrl": dead}
        self.shards = aws.environment["QUEUE_SHARDS"]
        self.resources = {f"{short}Table": aws.tables[short] for short in aws.tables}
        self.resources |= {"WorkQueue": aws.queue_url, "WorkDeadLetterQueue": dead}
        self.resources |= {"FailuresBucket": aws.failures_bucket, "ProjectViews": "mine-ProjectViews"}

    def client(self, service: str, **given: Any) -> Any:
        return self if service == "cloudformation" else boto3.client(service, **given)  # type: ignore[call-overload]

    def describe_stacks(self, *, StackName: str) -> Any:  # noqa: N803 - boto3's name
        if StackName != "mine":
            raise client_error("ValidationError", "DescribeStacks")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
        given = [{"ParameterKey": "QueueShards", "ParameterValue": self.shards}]
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Outputs": outputs, "Parameters": given}]}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_stack_resources"
        listed = [{"LogicalResourceId": key, "PhysicalResourceId": name} for key, name in self.resources.items()]
        return SimpleNamespace(paginate=lambda **_: [{"StackResourceSummaries": listed}])


@dataclass(frozen=True, slots=True)
class Run:
    """What a command did."""

    code: int
    out: str
    err: str


Streamer = Callable[[str], Run]


@pytest.fixture
def account(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Account:
    """The account, in a directory of its own; what takes its time takes none."""
    account = Account(world.aws)
    monkeypatch.setattr(boto3, "Session", lambda **_: account)
    monkeypatch.setattr(operators, "Clock", lambda: world.clock)
    monkeypatch.setattr(rebuild, "PAUSE", timedelta(0))
    monkeypatch.setattr(redrive, "_LOOK_S", 0)
    monkeypatch.chdir(tmp_path)
    return account


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Streamer:
    """Runs a command line; one that argparse refuses exits as well."""

    def run(line: str) -> Run:
        capsys.readouterr()
        try:
            code = streamer.main(line.split())
        except SystemExit as exc:
            code = int(str(exc.code))
        told = capsys.readouterr()
        return Run(code, told.out, told.err)

    return run


@pytest.fixture
def told(world: World, account: Account) -> str:
    """A request that has completed, and a connection; its id."""
    assert account.outputs
    request_id = completed(world.requests)
    connect(world, "c-1")
    world.project_all(world.records())
    world.project(world.records("Connections"))
    world.clock.advance(by=timedelta(minutes=5))
    return request_id


def _change(world: World, table: str, key: dict[str, Any], name: str, value: str) -> None:
    world.aws.dynamodb.update_item(
        TableName=world.aws.tables[table],
        Key=key,
        UpdateExpression="SET #name = :value",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":value": {"S": value}},
    )


# --- rebuild ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", building.NAMES)
@pytest.mark.usefixtures("told")
def test_a_view_that_is_as_the_log_says_is_told_as_such(run: Streamer, view: str) -> None:
    done = run(f"rebuild {view} --stack mine")
    assert (done.code, done.err) == (OK, "")
    assert done.out.startswith(f"{view}: 9 events of 1 requests → ")
    assert done.out.endswith("\n0 differences\n")


def test_a_row_that_was_changed_is_named_and_mended_on_request(world: World, told: str, run: Streamer) -> None:
    _change(world, "Requests", {"request_id": {"S": told}}, "user_id", "eve")

    named = run("rebuild requests --stack mine")
    mended = run("rebuild requests --stack mine --switch")

    assert named.code == FAILED
    assert f"{told}: differs in user_id\n1 difference\n" in named.out
    assert mended.code == OK
    assert "1 row made what the log says, 0 left" in mended.out
    assert run("rebuild requests --stack mine").code == OK


@pytest.mark.usefixtures("told")
def test_a_rebuild_keeps_to_a_tenant_and_to_instants(run: Streamer) -> None:
    done = run("rebuild metrics --stack mine --tenant acme --since 2026-11-22 --until 2026-11-23T00:00:00Z")
    assert (done.code, "0 differences" in done.out) == (OK, True)
    assert "0 events of 0 requests" in run("rebuild metrics --stack mine --tenant nobody").out


def test_a_view_that_there_is_not_is_refused_with_those_that_there_are(account: Account, run: Streamer) -> None:
    assert account.outputs
    done = run("rebuild audits --stack mine")
    assert (done.code, done.out) == (USAGE, "")
    assert done.err == "streamer: no view audits; there are requests, audit, metrics, gauges\n"


@pytest.mark.usefixtures("told")
def test_an_interrupted_rebuild_says_how_it_goes_on(
    run: Streamer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = building.pages
    with monkeypatch.context() as once:
        once.setattr(building, "pages", _interrupted)
        stopped = run("rebuild requests --stack mine --segments 1")

    assert (stopped.code, stopped.out) == (INTERRUPTED, "")
    assert stopped.err == "streamer: interrupted; started again, it goes on where it was\n"
    assert list(tmp_path.rglob("mine-requests.sqlite"))
    assert building.pages is real
    assert run("rebuild requests --stack mine").code == OK
    assert not list(tmp_path.rglob("*.sqlite"))


@pytest.mark.usefixtures("told")
def test_an_interrupted_rebuild_goes_on_only_as_it_was_begun(run: Streamer, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = "rebuild metrics --stack mine --segments 2 --until 2026-11-22T08:00:30Z"
    with monkeypatch.context() as once:
        once.setattr(building, "pages", _interrupted)
        assert run(begun).code == INTERRUPTED

    for other in ("--segments 3", "--until 2026-11-22T08:01Z", "--segments 2 --until 2026-11-22T08:01Z"):
        refused = run(f"rebuild metrics --stack mine {other}")
        assert (refused.code, refused.out) == (USAGE, "")
        assert "begun with --until 2026-11-22T08:00:00.000Z --segments 2;" in refused.err
        assert "--fresh" in refused.err

    assert run(begun).code == OK
    with monkeypatch.context() as once:
        once.setattr(building, "pages", _interrupted)
        assert run(begun).code == INTERRUPTED
    assert run("rebuild metrics --stack mine --segments 3 --fresh").code == OK


@pytest.mark.usefixtures("told")
def test_a_rebuild_that_was_begun_and_is_damaged_is_told_and_starts_anew_on_request(
    run: Streamer, tmp_path: Path
) -> None:
    file = tmp_path / SHADOWS / "mine-requests.sqlite"
    file.parent.mkdir(parents=True)
    file.write_text("damaged " * 1000)
    told = run("rebuild requests --stack mine")
    assert (told.code, told.out) == (FAILED, "")
    assert told.err == "streamer: what was begun is damaged (file is not a database); start anew with --fresh\n"
    assert run("rebuild requests --stack mine --fresh").code == OK


@pytest.mark.parametrize("line", ["rebuild requests", "audit verify"])
@pytest.mark.usefixtures("told")
def test_a_shadow_that_cannot_be_written_is_told(run: Streamer, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    def full(*_: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Shadow, "write", full)
    done = run(f"{line} --stack mine")
    assert (done.code, done.out) == (FAILED, "")
    assert done.err.startswith("streamer: database or disk is full")


def _interrupted(*_: Any) -> Any:
    raise KeyboardInterrupt


# --- reconcile, audit verify and export -------------------------------------------------------------------------------


def test_requests_that_are_behind_are_brought_up(world: World, told: str, run: Streamer) -> None:
    late = world.requests.submit()
    world.records()  # lost
    world.clock.advance(61)

    done = run("reconcile --stack mine")

    assert done.code == OK
    assert done.out == "2 requests, 1 behind their log, 1 brought up, 0 unreadable\n"
    assert told != late
    assert world.differences() == []
    assert "0 behind" in run("reconcile --stack mine --tenant acme").out


def test_what_no_code_can_read_fails_a_reconciliation(world: World, told: str, run: Streamer) -> None:
    _change(world, "Events", {"request_id": {"S": told}, "version": {"N": "9"}}, "state", "{")
    done = run("reconcile --stack mine")
    assert done.code == FAILED
    assert "1 unreadable" in done.out


def test_whole_chains_are_told_as_such_and_a_changed_event_is_named(world: World, told: str, run: Streamer) -> None:
    whole = run("audit verify --stack mine")
    assert whole.code == OK
    assert "9 events of 1 requests" in whole.out
    assert "Every chain is whole, and every entry is what the log says." in whole.out

    _change(world, "Events", {"request_id": {"S": told}, "version": {"N": "3"}}, "at", "2026-11-22T00:00:00.000Z")
    broken = run("audit verify --stack mine")

    assert broken.code == FAILED
    assert f"{told} version 3: missing or altered in the log" in broken.out


def test_a_changed_entry_is_named(world: World, told: str, run: Streamer) -> None:
    [entry] = [row for row in world.aws.rows("Audit") if row["type"]["S"] == "RequestCompleted"]
    _change(world, "Audit", {"day": entry["day"], "entry": entry["entry"]}, "user_id", "eve")
    done = run("audit verify --stack mine --tenant acme")
    assert done.code == FAILED
    assert f"{told} version 9: differs in user_id" in done.out


def test_a_trail_is_written_as_lines_or_as_a_table(world: World, told: str, run: Streamer, tmp_path: Path) -> None:
    today = world.clock.now().date()
    lines = run("audit export --stack mine --tenant acme")
    assert (lines.code, lines.err) == (OK, "4 entries\n")
    entries = [json.loads(line) for line in lines.out.splitlines()]
    assert {entry.get("request_id", told) for entry in entries} == {told}

    table = run(f"audit export --stack mine --tenant acme --from {today} --to {today} --format csv --out trail.csv")

    assert (table.code, table.out) == (OK, "")
    with (tmp_path / "trail.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["type"] for row in rows] == [entry["type"] for entry in entries]
    assert [row["hash"] for row in rows] == [entry.get("hash", "") for entry in entries]


@pytest.mark.parametrize("detail", ["{", None])
def test_an_entry_that_no_code_can_read_is_told_and_fails_the_export(
    world: World, told: str, run: Streamer, detail: str | None
) -> None:
    row = next(row for row in world.aws.rows("Audit") if row["type"]["S"] == "AttemptStarted")
    value = {"NULL": True} if detail is None else {"S": detail}
    world.aws.dynamodb.put_item(TableName=world.aws.tables["Audit"], Item={**row, "detail": value})
    done = run("audit export --stack mine --tenant acme")
    assert done.code == FAILED
    assert "Unreadable record" in done.err
    assert detail is None or (told in done.err and done.err.endswith("3 entries\n"))


def test_a_trail_may_be_one_users(world: World, told: str, run: Streamer) -> None:
    world.requests.submit(Whose("acme", "bob"))
    world.project_all(world.records())
    assert told
    done = run("audit export --stack mine --tenant acme --user bob")
    assert (done.code, [json.loads(line)["user_id"] for line in done.out.splitlines()]) == (OK, ["bob"])


@pytest.mark.usefixtures("told")
def test_what_is_given_before_verify_and_export_counts_as_if_it_were_given_after(run: Streamer) -> None:
    assert "9 events of 1 requests" in run("audit --stack mine verify").out
    assert "0 events of 0 requests" in run("audit --stack mine --tenant nobody verify").out
    assert "9 events of 1 requests" in run("audit --stack mine --tenant nobody verify --tenant acme").out
    assert run("audit --stack mine --user nobody export --tenant acme") == Run(OK, "", "0 entries\n")


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("audit --token t verify", "--token"),
        ("audit --user ann verify", "--user"),
        ("audit --day 2026-11-22 export --tenant acme", "--day"),
        ("audit --request r verify", "--request"),
        ("audit --of-user ann export --tenant acme", "--of-user"),
        ("audit --json export --tenant acme", "--json"),
    ],
)
def test_what_verify_and_export_do_not_take_is_refused_before_them_too(run: Streamer, line: str, refused: str) -> None:
    done = run(line)
    assert (done.code, done.out) == (USAGE, "")
    assert f"{refused} is of `streamer audit` alone" in done.err


@pytest.mark.usefixtures("account")
def test_who_has_read_enough_of_a_trail_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(operators, "export", broken)
    asked = Namespace(stack="mine", tenant="acme", user=None, first=None, last=None, form="csv", out=None)
    with pytest.raises(BrokenPipeError):
        operators.export_audit(asked)
    assert capsys.readouterr().err == ""


# --- doctor and redrive -----------------------------------------------------------------------------------------------


def test_the_doctor_says_what_is_wrong_and_what_to_do(account: Account, run: Streamer) -> None:
    del account.resources["FailuresBucket"]
    done = run("doctor --stack mine")
    assert done.code == FAILED
    assert "wrong  leftovers: the stack has no 'FailuresBucket'\n       " in done.out
    assert "fine " not in done.out
    assert done.out.splitlines()[-1].endswith(" wrong")
    assert "fine   stack\n" in run("doctor --stack mine --all").out


def test_dead_letters_and_failures_are_handed_over_again(
    world: World, account: Account, told: str, run: Streamer
) -> None:
    queues = account.outputs
    world.aws.sqs.send_message(QueueUrl=queues["WorkDeadLetterQueueUrl"], MessageBody="token")
    world.requests.submit()
    [record] = world.records()
    for key, content in (("quarantine/good.json", exact_json.encode({"record": record})), ("odd.json", "{")):
        world.aws.s3.put_object(Bucket=world.aws.failures_bucket, Key=key, Body=content.encode())

    assert told
    assert run("redrive work --stack mine") == Run(OK, "1 token moved to the work queue\n", "")
    done = run("redrive failures --stack mine")

    assert done.code == FAILED  # something is left, and says why
    assert done.out.startswith("1 object handled\nleft  odd.json: ")
    assert world.differences() == []


# --- what is wrong with the command line, and with the way to the stack -----------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("rebuild metrics --since yesterday", "argument --since: not an ISO 8601 instant: yesterday"),
        ("rebuild metrics --until 2026-13-01", "argument --until: not an ISO 8601 instant: 2026-13-01"),
        ("rebuild metrics --segments 0", "argument --segments: not a positive whole number: 0"),
        ("rebuild", "the following arguments are required: VIEW"),
        ("audit export", "the following arguments are required: --tenant"),
        ("audit export --tenant acme --from today", "argument --from: not a day (YYYY-MM-DD): today"),
        ("audit export --tenant acme --format xml", "argument --format: invalid choice: 'xml'"),
        ("redrive", "the following arguments are required: WHAT"),
        ("redrive everything", "argument WHAT: invalid choice: 'everything'"),
        ("audit export --stack mine --tenant a#b", "streamer: tenant_id: 1-128 of"),
        (
            "audit export --stack mine --tenant acme --from 2026-11-22 --to 2026-11-21",
            "streamer: --to 2026-11-21 is before --from 2026-11-22",
        ),
    ],
)
@pytest.mark.usefixtures("account")
def test_a_wrong_command_line_is_told_and_nothing_is_done(run: Streamer, line: str, why: str) -> None:
    done = run(line)
    assert (done.code, done.out) == (USAGE, "")
    assert why in done.err


@pytest.mark.parametrize("line", OF_THE_STACK)
@pytest.mark.usefixtures("account")
def test_a_stack_that_there_is_not_is_told(run: Streamer, line: str) -> None:
    done = run(f"{line} --stack yours")
    assert (done.code, done.out) == (NOT_CONNECTED, "")
    assert "stack=yours" in done.err


@pytest.mark.parametrize("line", OF_THE_STACK)
def test_a_profile_that_there_is_not_is_told(run: Streamer, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nope")
    done = run(f"{line} --stack mine")
    assert (done.code, done.out) == (NOT_CONNECTED, "")
    assert "The config profile (nope) could not be found" in done.err


@pytest.mark.parametrize("line", OF_THE_STACK)
@pytest.mark.usefixtures("account")
def test_where_no_stack_runs_it_is_told_how_to_start_one(run: Streamer, line: str) -> None:
    done = run(line)
    assert (done.code, done.out) == (NOT_CONNECTED, "")
    assert "start one with `make up`, or name a deployed one with --stack" in done.err


@pytest.mark.parametrize("line", OF_THE_STACK)
def test_an_endpoint_that_does_not_answer_is_told(
    world: World, run: Streamer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    assert world.aws.tables
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / FILE
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"ws_url": "ws://127.0.0.1:9", "endpoint_url": "http://127.0.0.1:9"}))

    done = run(line)

    assert (done.code, done.out) == (NOT_CONNECTED, "")
    assert "127.0.0.1:9" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("line", ["rebuild requests", "redrive work"])
def test_a_stack_without_what_the_command_needs_is_told(account: Account, run: Streamer, line: str) -> None:
    account.outputs.clear()
    done = run(f"{line} --stack mine")
    assert (done.code, done.out) == (NOT_CONNECTED, "")
    assert "it has no output" in done.err


def test_a_stack_without_a_bucket_for_failures_is_told(account: Account, run: Streamer) -> None:
    del account.resources["FailuresBucket"]
    done = run("redrive failures --stack mine")
    assert (done.code, done.out) == (NOT_CONNECTED, "")
    assert "it has no FailuresBucket" in done.err


@pytest.mark.parametrize("line", ["rebuild requests", "audit verify", "reconcile"])
def test_a_table_that_is_gone_is_told(account: Account, run: Streamer, line: str) -> None:
    account.outputs["EventsTable"] = "gone"
    done = run(f"{line} --stack mine")
    assert (done.code, done.out) == (NOT_CONNECTED, "")
    assert "ResourceNotFoundException" in done.err


def test_a_file_that_cannot_be_written_is_told(account: Account, run: Streamer, tmp_path: Path) -> None:
    assert account.outputs
    done = run(
        f"audit export --stack mine --tenant acme --out {tmp_path / 'not there' / 'trail'}".replace(" there", "")
    )
    assert done.code == FAILED
    assert "No such file or directory" in done.err
