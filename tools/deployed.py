"""A stack as CloudFormation describes it: what it is made of, and clients to look at that with."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from adapters.aws import PATIENT
from client.stack import StackNotFound, local_stack, user_session
from local.aws import session
from local.deploy import STACK_NAME


@dataclass(frozen=True)
class Deployed:
    """A stack by its name, on AWS or, by the address of an emulator, on this machine."""

    name: str
    aws: boto3.Session
    endpoint_url: str | None

    def client(self, service: str) -> Any:
        """The client of a service."""
        return self.aws.client(service, endpoint_url=self.endpoint_url, config=PATIENT)  # type: ignore[call-overload]

    @cached_property
    def described(self) -> Mapping[str, Any]:
        """What CloudFormation says of the stack."""
        try:
            stack: Mapping[str, Any] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
        except (BotoCoreError, ClientError) as exc:
            raise StackNotFound(str(exc), stack=self.name) from exc
        return stack

    @cached_property
    def resources(self) -> Mapping[str, str]:
        """The physical names of the resources by their logical ids."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        return {
            one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
            for page in pages
            for one in page["StackResourceSummaries"]
        }

    def resource(self, logical_id: str) -> str:
        """The physical name of a resource; StackNotFound when the stack has none of that id."""
        if logical_id not in self.resources:
            raise StackNotFound(f"it has no {logical_id}", stack=self.name)
        return self.resources[logical_id]


def deployed(name: str | None, start: Path) -> Deployed:
    """The stack of that name on AWS, or without a name the one that runs on this machine."""
    if name is not None:
        return Deployed(name, user_session(), None)
    stack = local_stack(start)
    if stack.endpoint_url is None:
        raise StackNotFound("it does not say where it is", directory=start)
    return Deployed(STACK_NAME, session(), stack.endpoint_url)
