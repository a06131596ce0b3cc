"""What was given up goes back to the work queue, whole and however often it is asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from client.cli import NOT_CONNECTED
from tests.adapters.wrapped import Wrapped, client_error
from tests.kit.tables import Aws, on_moto
from tools import redrive as module
from tools import streamer
from tools.redrive import Redriven, WorkQueues, redrive

MANY = 23  # more than two receives


@pytest.fixture
def aws() -> Iterator[Aws]:
    with on_moto() as made:
        yield made


@pytest.fixture
def sqs(aws: Aws) -> Wrapped:
    return Wrapped(aws.sqs)


@pytest.fixture
def queues(aws: Aws, sqs: Any, monkeypatch: pytest.MonkeyPatch) -> WorkQueues:
    monkeypatch.setattr(module, "_LOOK_S", 0)  # moto misses nothing
    dead_letters = aws.sqs.get_queue_url(QueueName="WorkDeadLetterQueue")["QueueUrl"]
    return WorkQueues(sqs, aws.queue_url, dead_letters)


def give_up(queues: WorkQueues, many: int) -> list[str]:
    bodies = [f"token {number}" for number in range(many)]
    for body in bodies:
        queues.sqs.send_message(QueueUrl=queues.dead_letters, MessageBody=body)
    return bodies


def test_every_dead_letter_is_on_the_work_queue_afterwards_and_a_second_redrive_finds_none(
    queues: WorkQueues, aws: Aws
) -> None:
    bodies = give_up(queues, MANY)
    assert redrive(queues) == Redriven(moved=MANY)
    assert sorted(aws.tokens()) == sorted(bodies)
    assert redrive(queues) == Redriven()


def test_a_crash_between_sending_and_deleting_loses_no_token(queues: WorkQueues, aws: Aws, sqs: Wrapped) -> None:
    bodies = give_up(queues, 1)
    sqs.fail("delete_message_batch", client_error("InternalError", "DeleteMessageBatch"))
    with pytest.raises(Exception, match="made up"):
        redrive(queues)
    show_hidden(queues, sqs)
    assert redrive(queues) == Redriven(moved=1)
    assert aws.tokens() == bodies * 2  # twice is harmless: a token only wakes


def test_what_the_work_queue_refuses_stays_a_dead_letter(
    queues: WorkQueues, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up(queues, 2)
    send = aws.sqs.send_message_batch

    def refuse_the_first(QueueUrl: str, Entries: Any) -> Any:  # noqa: N803 - boto3's names
        refused = {"Id": Entries[0]["Id"], "SenderFault": False, "Code": "InternalError"}
        return {**send(QueueUrl=QueueUrl, Entries=Entries[1:]), "Failed": [refused]}

    monkeypatch.setattr(aws.sqs, "send_message_batch", refuse_the_first)
    assert redrive(queues) == Redriven(moved=1, left=1)
    kept = aws.sqs.get_queue_attributes(QueueUrl=queues.dead_letters, AttributeNames=["All"])["Attributes"]
    assert kept["ApproximateNumberOfMessagesNotVisible"] == "1"


def show_hidden(queues: WorkQueues, sqs: Wrapped) -> None:
    """Let what was received be there again, as its time-out would."""
    received: set[str] = {
        entry["ReceiptHandle"]
        for operation, arguments in sqs.calls
        if operation == "delete_message_batch"
        for entry in arguments["Entries"]
    }
    for handle in received:
        queues.sqs.change_message_visibility(QueueUrl=queues.dead_letters, ReceiptHandle=handle, VisibilityTimeout=0)


class Deployed:
    """A session whose account has one stack, called mine; moto has no CloudFormation without a lot more installed."""

    def __init__(self, queues: WorkQueues) -> None:
        self._queues = queues

    def client(self, service: str, **_: object) -> Any:
        return self if service == "cloudformation" else self._queues.sqs

    def describe_stacks(self, *, StackName: str) -> Any:  # noqa: N803 - boto3's name
        if StackName != "mine":
            raise client_error("ValidationError", "DescribeStacks")
        outputs = {"WorkQueueUrl": self._queues.work, "WorkDeadLetterQueueUrl": self._queues.dead_letters}
        return {"Stacks": [{"Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]}]}


def test_the_command_finds_a_deployed_stacks_queues_by_its_outputs(
    queues: WorkQueues, aws: Aws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(boto3, "Session", lambda **_: Deployed(queues))
    bodies = give_up(queues, 3)
    assert streamer.main(["redrive", "work", "--stack", "mine"]) == 0
    assert "3 tokens moved" in capsys.readouterr().out
    assert sorted(aws.tokens()) == bodies


def test_without_a_stack_there_is_nothing_to_redrive(
    queues: WorkQueues, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert streamer.main(["redrive", "work"]) == NOT_CONNECTED
    monkeypatch.setattr(boto3, "Session", lambda **_: Deployed(queues))
    assert streamer.main(["redrive", "work", "--stack", "none"]) == NOT_CONNECTED
    assert capsys.readouterr().err.count("No stack found") == 2


def test_what_to_redrive_must_be_said() -> None:
    with pytest.raises(SystemExit):
        streamer.main(["redrive"])
