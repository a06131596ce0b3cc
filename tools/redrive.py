"""`streamer redrive work`: the tokens that were given up go back to the work queue.

A token ends among the dead letters when no worker could use it five times: the world below was out of order. The
sweeper finds the requests all the same, after a minute or more of waiting; this brings them back at once.

Each token is sent before it is deleted. A crash between the two leaves it in both queues, which is harmless: a token
only wakes a worker (decision 7). SQS could move the messages itself, but in the background, telling no exact number,
and no emulator has it; there are never so many that it would be faster.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from adapters.aws import PATIENT
from client.stack import StackNotFound, local_stack, user_session
from local.aws import session
from local.deploy import STACK_NAME

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_BATCH: Final = 10
_HIDDEN_S: Final = 60  # from another redrive at the same time; what could not be moved is there again after it
_LOOK_S: Final = 1  # a receive that waits asks all of SQS's servers, one that does not may miss messages


@dataclass(frozen=True, slots=True)
class WorkQueues:
    """A stack's work queue and the queue of its dead letters."""

    sqs: "SQSClient"
    work: str
    dead_letters: str


@dataclass(slots=True)
class Redriven:
    """How many messages were moved, and how many could not be and stay dead letters."""

    moved: int = 0
    left: int = 0


def redrive_work(name: str | None) -> int:
    """Move all dead letters of a stack, by name on AWS or else the one on this machine; the exit code."""
    console = Console(highlight=False)
    try:
        with console.status("Moving tokens to the work queue"):
            done = redrive(found(name, Path.cwd()))
    except (BotoCoreError, ClientError) as exc:
        raise StackNotFound(str(exc), stack=name or STACK_NAME) from exc
    console.print(f"{done.moved} {'token' if done.moved == 1 else 'tokens'} moved to the work queue")
    if done.left:
        console.print(f"{done.left} could not be moved and are among the dead letters still: run it again")
    return 1 if done.left else 0


def redrive(queues: WorkQueues) -> Redriven:
    """Move what the dead-letter queue has. It ends: a token comes back there only after five more deliveries."""
    done = Redriven()
    while messages := _received(queues):
        sent = queues.sqs.send_message_batch(
            QueueUrl=queues.work,
            Entries=[{"Id": place, "MessageBody": message["Body"]} for place, message in messages.items()],
        )
        moved = [answer["Id"] for answer in sent.get("Successful", [])]
        done.moved += len(moved)
        done.left += len(messages) - len(moved)
        if moved:
            # One that is not deleted is moved again by the next redrive, as after a crash.
            queues.sqs.delete_message_batch(
                QueueUrl=queues.dead_letters,
                Entries=[{"Id": place, "ReceiptHandle": messages[place]["ReceiptHandle"]} for place in moved],
            )
    return done


def found(name: str | None, start: Path) -> WorkQueues:
    """The queues of the stack of that name on AWS, or without a name of the one that runs on this machine."""
    if name is not None:
        return _described(name, user_session(), None)
    stack = local_stack(start)
    if stack.endpoint_url is None:
        raise StackNotFound("it does not say where its queues are", directory=start)
    return _described(STACK_NAME, session(), stack.endpoint_url)


def _described(name: str, aws: boto3.Session, endpoint_url: str | None) -> WorkQueues:
    stacks = aws.client("cloudformation", endpoint_url=endpoint_url).describe_stacks(StackName=name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
    try:
        sqs = aws.client("sqs", endpoint_url=endpoint_url, config=PATIENT)
        return WorkQueues(sqs, outputs["WorkQueueUrl"], outputs["WorkDeadLetterQueueUrl"])
    except KeyError as exc:
        raise StackNotFound(f"it has no output {exc}", stack=name) from exc


def _received(queues: WorkQueues) -> "dict[str, MessageTypeDef]":
    answer = queues.sqs.receive_message(
        QueueUrl=queues.dead_letters,
        MaxNumberOfMessages=_BATCH,
        VisibilityTimeout=_HIDDEN_S,
        WaitTimeSeconds=_LOOK_S,
    )
    return {str(place): message for place, message in enumerate(answer.get("Messages", []))}
