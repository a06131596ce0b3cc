"""`streamer doctor`: looks at a stack, says what is wrong with it and what to do; the exit code is 1 if anything is."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from adapters.clock import Clock
from local.template import resources
from tools.deployed import Deployed
from tools.doctor_tables import DEPLOY, tables
from tools.findings import Finding

MOST_SKEW: Final = timedelta(seconds=5)
MOST_LAG: Final = timedelta(minutes=1)
_LOOK_BACK: Final = timedelta(minutes=15)
_SETTLED: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_READERS: Final = ("DynamoDB", "SQS")

Check = Callable[[Deployed], Iterator[Finding]]


def the_stack(stack: Deployed) -> Iterator[Finding]:
    """CloudFormation has done what it was asked to."""
    status = stack.described["StackStatus"]
    wrong = "" if status in _SETTLED else f"it is {status}"
    yield Finding("stack", wrong, "wait until it ends, or see why in CloudFormation's events" if wrong else "")


def the_clock(stack: Deployed) -> Iterator[Finding]:
    """The clock here is that of the service: tokens that are made here depend on it."""
    before = Clock().now()
    answer = stack.client("sqs").get_queue_attributes(QueueUrl=stack.resources["WorkQueue"], AttributeNames=["All"])
    yield skew(answer["ResponseMetadata"]["HTTPHeaders"].get("date"), before, Clock().now())


def skew(date: str | None, before: datetime, after: datetime) -> Finding:
    """What the Date of an answer says of the clock here, by when it was asked for and when it came."""
    if date is None:
        return Finding("clock", "the service does not tell its time", "look at what is between here and the service")
    there = parsedate_to_datetime(date)  # in whole seconds
    off = max(before - there - timedelta(seconds=1), there - after, timedelta(0))
    if off <= MOST_SKEW:
        return Finding("clock")
    seconds = round(off.total_seconds())
    return Finding("clock", f"this machine's is {seconds} s off", "set it: tokens and signatures made here are refused")


def the_tables(stack: Deployed) -> Iterator[Finding]:
    """Every table is as template.yaml says."""
    yield from tables(stack.client("dynamodb"), stack.resources)


def the_functions(stack: Deployed) -> Iterator[Finding]:
    """Every function can run, and knows how tokens are signed if it must."""
    client = stack.client("lambda")
    for logical_id in resources("AWS::Serverless::Function"):
        about = f"function {logical_id}"
        name = stack.resources.get(logical_id)
        if name is None:
            yield Finding(about, "the stack has no such function", DEPLOY)
            continue
        made = client.get_function_configuration(FunctionName=name)
        yield Finding(about, *_ailing(made))


def _ailing(made: Mapping[str, Any]) -> tuple[str, str]:
    if made.get("State", "Active") not in {"Active", "Inactive"}:
        return f"it is {made['State']}: {made.get('StateReason', '')}", DEPLOY
    if made.get("LastUpdateStatus") == "Failed":
        return f"its last update failed: {made.get('LastUpdateStatusReason', '')}", DEPLOY
    given = made.get("Environment", {}).get("Variables", {})
    if "TOKEN_SECRET" in given and not given["TOKEN_SECRET"] and not given.get("TOKEN_JWKS_URL"):
        return "it has no key to verify tokens with", "deploy again with TokenKey, TokenSecret or TokenJwksUrl"
    return "", ""


def the_mappings(stack: Deployed) -> Iterator[Finding]:
    """Every stream and queue wakes its function."""
    client = stack.client("lambda")
    for function, made in resources("AWS::Serverless::Function").items():
        expected = [event for event in made.get("Events", {}).values() if event["Type"] in _READERS]
        if not expected or function not in stack.resources:
            continue
        pages = client.get_paginator("list_event_source_mappings").paginate(FunctionName=stack.resources[function])
        found = [mapping for page in pages for mapping in page["EventSourceMappings"]]
        wrong = f"{len(found)} of {len(expected)} are there" if len(found) != len(expected) else ""
        yield Finding(f"mappings of {function}", wrong, DEPLOY if wrong else "")
        for mapping in found:
            yield Finding(f"mapping {function} < {_source(mapping)}", *_mapping_ails(mapping))


def _source(mapping: Mapping[str, Any]) -> str:
    _, table, stream = mapping["EventSourceArn"].partition(":table/")
    return str(stream.partition("/")[0] if table else mapping["EventSourceArn"].rpartition(":")[2])


def _mapping_ails(mapping: Mapping[str, Any]) -> tuple[str, str]:
    if mapping["State"] != "Enabled":
        return f"it is {mapping['State']}", "enable it in Lambda, or wait if it is being changed; what came is not lost"
    result = mapping.get("LastProcessingResult", "")
    if result.startswith("PROBLEM"):
        return result, "look at the function's errors: docs/runbook.md#function-errors"
    return "", ""


def the_lag(stack: Deployed) -> Iterator[Finding]:
    """No reader of a stream is behind; CloudWatch tells of the last minutes."""
    client = stack.client("cloudwatch")
    now = Clock().now()
    for function, made in resources("AWS::Serverless::Function").items():
        if not any(event["Type"] == "DynamoDB" for event in made.get("Events", {}).values()):
            continue
        points = client.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="IteratorAge",
            Dimensions=[{"Name": "FunctionName", "Value": stack.resources.get(function, "")}],
            StartTime=now - _LOOK_BACK,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        newest = max(points, key=lambda point: point["Timestamp"], default={"Maximum": 0.0})
        lag = timedelta(milliseconds=newest["Maximum"])
        wrong = f"it was {lag.total_seconds():.0f} s behind" if lag > MOST_LAG else ""
        yield Finding(f"lag of {function}", wrong, "docs/runbook.md#views-behind" if wrong else "")


def the_leftovers(stack: Deployed) -> Iterator[Finding]:
    """Nothing was given up: no dead letters, no failed batches, no quarantined records."""
    sqs, s3 = stack.client("sqs"), stack.client("s3")
    told = sqs.get_queue_attributes(
        QueueUrl=stack.resources["WorkDeadLetterQueue"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    dead = int(told["Attributes"]["ApproximateNumberOfMessages"])
    again = "see why in the logs of Work, then: streamer redrive work" if dead else ""
    yield Finding("dead letters of work", f"there are {dead}" if dead else "", again)
    kept = s3.list_objects_v2(Bucket=stack.resources["FailuresBucket"])["KeyCount"]
    again = "see why (docs/runbook.md#failures-kept), then: streamer redrive failures" if kept else ""
    yield Finding("failures bucket", f"it has {kept} objects" if kept else "", again)


def the_schedule(stack: Deployed) -> Iterator[Finding]:
    """The sweeper is started each minute."""
    client = stack.client("scheduler")
    try:
        state = client.get_schedule(Name=f"{stack.name}-sweep")["State"]
    except client.exceptions.ResourceNotFoundException:
        state = "not there"
    wrong = "" if state == "ENABLED" else f"it is {state.lower()}"
    again = "enable it in EventBridge Scheduler, or deploy again" if wrong else ""
    yield Finding("schedule of the sweeper", wrong, again)


def the_alarms(stack: Deployed) -> Iterator[Finding]:
    """No alarm is raised."""
    pages = (
        stack.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"{stack.name}-", StateValue="ALARM")
    )
    raised = [alarm for page in pages for alarm in page["MetricAlarms"]]
    for alarm in raised:
        said, _, page = alarm.get("AlarmDescription", "").rpartition(" - ")
        yield Finding(f"alarm {alarm['AlarmName']}", said, page)
    if not raised:
        yield Finding("alarms")


CHECKS: Final[tuple[Check, ...]] = (
    the_stack,
    the_clock,
    the_tables,
    the_functions,
    the_mappings,
    the_lag,
    the_leftovers,
    the_schedule,
    the_alarms,
)


def examine(stack: Deployed) -> Iterator[Finding]:
    """Look at everything; a check that cannot be made is a finding, too."""
    for check in CHECKS:
        about = check.__name__.removeprefix("the_")
        try:
            yield from check(stack)
        except ClientError as exc:
            code = exc.response["Error"]["Code"]
            yield Finding(about, f"cannot be looked at: {code}", "run it with credentials that may describe the stack")
        except BotoCoreError as exc:
            yield Finding(about, f"cannot be looked at: {exc}", "see whether the service can be reached from here")
        except KeyError as exc:
            yield Finding(about, f"the stack has no {exc}", DEPLOY)


def doctor(stack: Deployed, console: Console, *, everything: bool = False) -> int:
    """Print what is wrong, or everything that was looked at; the exit code."""
    findings = list(examine(stack))
    wrong = [finding for finding in findings if finding.wrong]
    for finding in findings if everything else wrong:
        line = Text.assemble(("wrong  " if finding.wrong else "fine   ", "red" if finding.wrong else "green"))
        line.append(f"{finding.about}{': ' if finding.wrong else ''}{finding.wrong}")
        console.print(line, soft_wrap=True)
        if finding.do:
            console.print(Text(f"       {finding.do}"), soft_wrap=True)
    console.print(f"{len(findings)} looked at, {len(wrong)} wrong")
    return 1 if wrong else 0
