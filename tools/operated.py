"""The stack that an operator's command works on: its tables and queue, reached directly, with the operator's rights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from adapters.aws import PATIENT
from adapters.clock import Clock
from adapters.event_store import EventStore
from adapters.quarantine import Quarantine
from adapters.tenant_views import TenantViews
from adapters.view_projector import ViewProjector
from adapters.views import Views
from adapters.work_tokens import WorkTokens
from client.stack import StackNotFound, local_stack, user_session
from local.aws import session
from local.deploy import STACK_NAME
from local.template import defaults
from projections.intents import View

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

TABLES: Final = ("Events", "Requests", "Connections", "Subscriptions", "Audit", "Metrics")
_SHARDS: Final = int(defaults()["QueueShards"])


@dataclass(frozen=True, slots=True)
class Operated:
    """A stack's tables by short name (Events, …), its work queue, and how many shards its queue has."""

    name: str
    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    tables: Mapping[str, str]
    queue_url: str
    shards: int = _SHARDS

    @property
    def events(self) -> EventStore:
        """The log."""
        return EventStore(self.dynamodb, self.tables["Events"])

    @property
    def views(self) -> Views:
        """The view tables, to write."""
        return Views(self.dynamodb, {view: self.tables[view.value] for view in View})

    def tenant(self, tenant_id: str) -> TenantViews:
        """A tenant's audit and metrics."""
        return TenantViews(self.dynamodb, self.tables["Audit"], self.tables["Metrics"], tenant_id)

    def projector(self, clock: Clock) -> ViewProjector:
        """What brings the views up to the log; it is handed events, never records, so it has nothing to set aside."""
        tokens = WorkTokens(self.sqs, self.queue_url)
        no_records: Quarantine = Quarantine(_NOWHERE)
        return ViewProjector(self.events, self.views, tokens, no_records, clock, self.shards)


def operated(name: str | None, start: Path) -> Operated:
    """The stack of that name on AWS, or without a name the one that runs on this machine."""
    if name is not None:
        return described(name, user_session(), None)
    stack = local_stack(start)
    if stack.endpoint_url is None:
        raise StackNotFound("it does not say where its tables are", directory=start)
    return described(STACK_NAME, session(), stack.endpoint_url)


def described(name: str, aws: boto3.Session, endpoint_url: str | None) -> Operated:
    """The stack as CloudFormation describes it."""
    try:
        cloudformation = aws.client("cloudformation", endpoint_url=endpoint_url)
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        given = {one.get("ParameterKey"): one.get("ParameterValue") for one in stack.get("Parameters", [])}
        return Operated(
            name=name,
            dynamodb=aws.client("dynamodb", endpoint_url=endpoint_url, config=PATIENT),
            sqs=aws.client("sqs", endpoint_url=endpoint_url, config=PATIENT),
            tables={short: outputs[f"{short}Table"] for short in TABLES},
            queue_url=outputs["WorkQueueUrl"],
            shards=int(given.get("QueueShards") or _SHARDS),
        )
    except (BotoCoreError, ClientError) as exc:
        raise StackNotFound(str(exc), stack=name) from exc
    except KeyError as exc:
        raise StackNotFound(f"it has no output {exc}", stack=name) from exc


_NOWHERE: Final[Any] = None
