"""The template as it is, built and deployed to an emulator by sam."""

import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.aws import session
from local.environment import clean
from local.errors import DeployFailed
from local.template import resources

PROJECT = Path(__file__).resolve().parent.parent
STACK_NAME = "streamer"
_ARTIFACTS_BUCKET = "streamer-artifacts"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_ARCHITECTURE = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


@dataclass(frozen=True)
class Token:
    """What the tokens that the stack accepts are signed and named with."""

    key: str
    issuer: str
    audience: str


def deploy(
    directory: Path, endpoint_url: str, token: Token, others: Mapping[str, str], name: str = STACK_NAME
) -> Mapping[str, str]:
    """Build and deploy the template, with other parameters beside those that this machine needs; the stack's outputs.

    Errors: DeployFailed.
    """
    build = directory / "build"
    given = {"TokenKey": token.key, "TokenIssuer": token.issuer, "TokenAudience": token.audience, **others}
    overrides = _overrides(endpoint_url, given)
    session().client("s3", endpoint_url=endpoint_url).create_bucket(Bucket=_ARTIFACTS_BUCKET)
    _sam("build", "--build-dir", str(build), "--parameter-overrides", *overrides, to=directory, endpoint=endpoint_url)
    _deploy(build / "template.yaml", name, overrides, to=directory, endpoint=endpoint_url)
    _repair_mappings(endpoint_url)
    _repair_tables(endpoint_url, name)
    return _outputs(name, endpoint_url)


def deploy_beside(
    directory: Path, endpoint_url: str, template: Path, name: str, others: Mapping[str, str]
) -> Mapping[str, str]:
    """Deploy another template, of which nothing has to be built, to an emulator that has the stack; its outputs.

    Errors: DeployFailed.
    """
    _deploy(template, name, _overrides(endpoint_url, others), to=directory, endpoint=endpoint_url)
    return _outputs(name, endpoint_url)


def _overrides(endpoint_url: str, others: Mapping[str, str]) -> list[str]:
    parameters = {
        "PythonRuntime": f"python{_PYTHON}",
        "Architecture": _ARCHITECTURE,
        "ManagementEndpoint": f"{endpoint_url}/_aws/execute-api",
        **others,
    }
    return [f"ParameterKey={name},ParameterValue={value}" for name, value in parameters.items()]


def _deploy(template: Path, name: str, overrides: Sequence[str], *, to: Path, endpoint: str) -> None:
    _sam(
        *("deploy", "--template-file", str(template)),
        *("--stack-name", name, "--s3-bucket", _ARTIFACTS_BUCKET),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        *("--no-progressbar", "--no-confirm-changeset", "--disable-rollback"),
        *("--parameter-overrides", *overrides),
        to=to,
        endpoint=endpoint,
    )


def _outputs(name: str, endpoint_url: str) -> Mapping[str, str]:
    cloudformation = session().client("cloudformation", endpoint_url=endpoint_url)
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _repair_tables(endpoint_url: str, stack_name: str) -> None:
    """Give tables what the emulator leaves out of their definitions: when rows end, and recovery."""
    cloudformation = session().client("cloudformation", endpoint_url=endpoint_url)
    dynamodb = session().client("dynamodb", endpoint_url=endpoint_url)
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    names = {
        one["LogicalResourceId"]: one["PhysicalResourceId"] for page in pages for one in page["StackResourceSummaries"]
    }
    for logical_id, table in resources("AWS::DynamoDB::Table").items():
        name = names[logical_id]
        if dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED":
            ends = table["TimeToLiveSpecification"]
            dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=ends)
        if recovery := table.get("PointInTimeRecoverySpecification"):
            dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)


def _repair_mappings(endpoint_url: str) -> None:
    """Make numbers of what the emulator keeps as text: a parameter's value, where AWS knows the property's type."""
    functions = session().client("lambda", endpoint_url=endpoint_url)
    for page in functions.get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            limit = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
            if limit is not None:
                functions.update_event_source_mapping(
                    UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": int(limit)}
                )


def _sam(command: str, *arguments: str, to: Path, endpoint: str) -> None:
    log = to / "log" / f"sam-{command}.log"
    environment = clean(
        AWS_ENDPOINT_URL=endpoint,
        LAYER_PLATFORM="host",
        LAYER_PYTHON=_PYTHON,
        SAM_CLI_TELEMETRY="0",
        SAM_CLI_POLL_DELAY="0.2",
        # Settings of its own, prepared by the Makefile: sam asks nobody whether there is a newer sam.
        __SAM_CLI_APP_DIR=str(Path(sys.prefix) / "sam"),
    )
    with log.open("wb") as output:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("sam")), command, *arguments],
            env=environment,
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise DeployFailed(f"sam {command} failed (exit {done.returncode}).", log)
