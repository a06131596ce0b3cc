"""Least privilege: each function is allowed exactly what it asks for when everything happens that it is made for.

Its role has up to two policies: `asks` is for what its code asks for, `wakes` for what Lambda asks for in its name to
read the streams and the queue that wake it.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

import pytest

from domain.protocol import AnyClientFrame
from tests.template.template import FUNCTIONS, TEMPLATE, listed, statements
from tests.template.witness import Permission, Witness

MANAGEMENT: Final = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WebSocketApi}/live/"

# What Lambda needs to read an event source: as AWS's own policies for it say, AWSLambdaDynamoDBExecutionRole and
# AWSLambdaSQSQueueExecutionRole, and the Lambda guide for a bucket as the destination of what failed.
READS_STREAM: Final = ("DescribeStream", "GetShardIterator", "GetRecords")
READS_QUEUE: Final = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")

SECRET: Final = ":secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${TokenSecret}-??????"

pytestmark = pytest.mark.xdist_group("witness")  # one scenario is enough for all


def resource(named: Any) -> str:
    """A resource of a policy in the witness's words."""
    match named:
        case {"GetAtt": str(arn)}:
            assert arn.endswith((".Arn", ".StreamArn"))
            return arn.removesuffix(".Arn")
        case {"Sub": str(text)} if text.startswith(MANAGEMENT):
            return f"WebSocketApi/{text.removeprefix(MANAGEMENT).removesuffix('/@connections/*')}"
        case {"Sub": str(text)}:
            return re.sub(r"\$\{(\w+)\.Arn\}", r"\1", text)
        case {"If": ["KeyGiven", {"GetAtt": "TokenKeySecret.Id"}, {"Sub": str(text)}]} if text.endswith(SECRET):
            return "TokenSecret"
        case _:
            raise AssertionError(f"what is this? {named}")


def allowed(statement: Mapping[str, Any]) -> Iterator[Permission]:
    for action in listed(statement["Action"]):
        for named in listed(statement["Resource"]):
            yield action, resource(named)


def granted(function: str, policy: str) -> list[Permission]:
    return [permission for statement in statements(function, policy) for permission in allowed(statement)]


def to_be_woken(source: Mapping[str, Any]) -> Iterator[Permission]:
    """What Lambda asks for in a function's name, for one of its event sources."""
    match source["Type"], source["Properties"]:
        case "DynamoDB", {"Stream": {"GetAtt": str(stream)}, "DestinationConfig": {"OnFailure": kept}}:
            yield from ((f"dynamodb:{action}", stream) for action in READS_STREAM)
            yield "dynamodb:ListStreams", f"{stream.removesuffix('.StreamArn')}/stream/*"
            bucket = resource(kept["Destination"])
            yield from (("s3:PutObject", f"{bucket}/*"), ("s3:ListBucket", bucket))
        case "SQS", {"Queue": queue}:
            yield from ((f"sqs:{action}", resource(queue)) for action in READS_QUEUE)
        case "ScheduleV2", _:
            pass  # the scheduler comes with a role of its own
        case kind, _:
            raise AssertionError(f"what does Lambda need for this? {kind}")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_allowed_what_it_asks_for_and_nothing_else(witness: Witness, function: str) -> None:
    given = set(granted(function, "asks"))
    asked = witness.allowed[function]
    assert sorted(asked - given) == [], f"{function} may not, but asks for it"
    assert sorted(given - asked) == [], f"{function} may, but never asks for it"


def test_every_type_of_frame_was_sent(witness: Witness) -> None:
    frames = get_args(AnyClientFrame)
    assert witness.frames == {frame.__struct_config__.tag for frame in frames}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_lambda_is_allowed_what_it_needs_to_wake_a_function_and_nothing_else(function: str) -> None:
    sources = FUNCTIONS[function].get("Events", {}).values()
    needed = {permission for source in sources for permission in to_be_woken(source)}
    assert set(granted(function, "wakes")) == needed


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_a_role_of_its_own_with_these_policies_and_the_one_for_logs_and_traces(function: str) -> None:
    assert FUNCTIONS[function]["Role"] == {"GetAtt": f"{function}Role.Arn"}
    role = TEMPLATE["Resources"][f"{function}Role"]["Properties"]
    assert role["ManagedPolicyArns"] == [{"Ref": "LogsAndTraces"}]
    assert {policy["PolicyName"] for policy in role["Policies"]} <= {"asks", "wakes"}
    assert "Policies" not in FUNCTIONS[function], "SAM does not look at them when there is a role"


def test_what_all_functions_share_is_writing_this_stacks_log_and_traces() -> None:
    logs, traces = TEMPLATE["Resources"]["LogsAndTraces"]["Properties"]["PolicyDocument"]["Statement"]
    assert {*logs["Action"]} == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert logs["Resource"] == {"GetAtt": "FunctionLogs.Arn"}
    assert {*traces["Action"]} == {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


@pytest.mark.parametrize("policy", ["asks", "wakes"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_permission_is_for_everything_or_given_twice(function: str, policy: str) -> None:
    given = granted(function, policy)
    assert len(given) == len(set(given))
    for action, named in given:
        assert "*" not in action
        assert re.fullmatch(r"\w+(/\*|/index/\w+|/POST|/DELETE|/stream/\*|\.StreamArn)?", named), named
