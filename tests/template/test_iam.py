"""Nobody may do anything to everything: read in the template as SAM expands it, with all that SAM adds to it."""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

import pytest
from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

from tests.template.template import ROOT, listed

Template = dict[str, Any]

WRITTEN: Final[Template] = yaml_parse((ROOT / "template.yaml").read_text())
# No resource can be named for them: docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html
FOR_EVERYTHING: Final = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}


def expanded(written: Template) -> Mapping[str, Any]:
    """The resources of a template after SAM's transform, as `sam validate` makes it; nothing is asked of AWS."""
    validator = SamTemplateValidator(
        deepcopy(written), None, region="us-east-1", parameter_overrides={"TokenIssuer": "x"}
    )
    resources: Mapping[str, Any] = yaml_parse(validator.get_translated_template_if_valid())["Resources"]
    return resources


def policies(resources: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every document of the template that says what somebody may do, and whose it is."""
    for name, made in resources.items():
        match made["Type"], made.get("Properties"):
            case "AWS::IAM::Role", properties:
                yield from ((name, policy["PolicyDocument"]) for policy in properties.get("Policies", ()))
            case "AWS::IAM::ManagedPolicy" | "AWS::IAM::Policy", properties:
                yield name, properties["PolicyDocument"]
            case _:
                pass


def chosen(value: Any) -> Iterator[Any]:
    """Each value that may come of one, whatever the conditions."""
    match value:
        case {"Fn::If": [_, one, other]}:
            yield from chosen(one)
            yield from chosen(other)
        case {"Ref": "AWS::NoValue"}:
            return
        case list():
            for each in value:
                yield from chosen(each)
        case _:
            yield value


def named(resource: Any) -> set[str]:
    """What an ARN of a policy refers to."""
    match resource:
        case {"Ref": str(name)}:
            return {name}
        case {"Fn::GetAtt": path}:
            return {str(path if isinstance(path, str) else path[0]).partition(".")[0]}
        case {"Fn::Sub": str(text)}:
            return {name.partition(".")[0] for name in re.findall(r"\$\{([^}]+)\}", text)}
        case {"Fn::Join": [_, parts]}:
            return set[str]().union(*map(named, parts))
        case _:
            return set()


def findings(resources: Mapping[str, Any]) -> Iterator[str]:
    """Everything that somebody may do to more than what is this stack's."""
    ours = {*resources, "TokenSecret"}
    for owner, document in policies(resources):
        for statement in chosen(document["Statement"]):
            assert statement["Effect"] == "Allow"
            actions = set(listed(statement["Action"]))
            yield from (f"{owner}: {action}" for action in actions if "*" in action)
            for resource in chosen(statement["Resource"]):
                if not (named(resource) & ours or (resource == "*" and actions <= FOR_EVERYTHING)):
                    yield f"{owner}: {sorted(actions)} on {resource}"
    for owner, made in resources.items():
        for attached in chosen(made.get("Properties", {}).get("ManagedPolicyArns", [])):
            if not named(attached) & set(resources):
                yield f"{owner}: {attached}"


@pytest.fixture(scope="module")
def resources() -> Mapping[str, Any]:
    return expanded(WRITTEN)


def test_nobody_may_do_anything_to_what_is_not_this_stacks(resources: Mapping[str, Any]) -> None:
    assert [*findings(resources)] == []
    assert {owner for owner, _ in policies(resources)} >= {"LogsAndTraces", "WorkRole", "SweepEachMinuteRole"}


def test_a_role_that_sam_would_make_is_found() -> None:
    written = deepcopy(WRITTEN)
    del written["Resources"]["ProjectViews"]["Properties"]["Role"]
    del written["Resources"]["ProjectViewsRole"]
    found = "\n".join(findings(expanded(written)))
    for managed in ("BasicExecutionRole", "XrayWriteOnlyAccess", "LambdaDynamoDBExecutionRole"):
        assert managed in found


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("dynamodb:*", {"Fn::GetAtt": ["EventsTable", "Arn"]}),
        ("dynamodb:GetItem", "*"),
        ("dynamodb:GetItem", {"Fn::Sub": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"}),
        (["xray:PutTraceSegments", "xray:GetTraceSummaries"], "*"),
        ("dynamodb:GetItem", {"Fn::If": ["OnAws", {"Fn::GetAtt": ["EventsTable", "Arn"]}, "*"]}),
    ],
)
def test_a_permission_that_is_too_wide_is_found(
    resources: Mapping[str, Any], action: str | list[str], resource: Any
) -> None:
    widened = deepcopy(resources)
    (asks,) = widened["ConnectRole"]["Properties"]["Policies"]
    asks["PolicyDocument"]["Statement"].append({"Effect": "Allow", "Action": action, "Resource": resource})
    assert len([*findings(widened)]) == 1


def test_only_the_service_that_runs_it_can_take_a_role(resources: Mapping[str, Any]) -> None:
    for name, made in resources.items():
        if made["Type"] == "AWS::IAM::Role":
            (statement,) = made["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            service = "scheduler" if name == "SweepEachMinuteRole" else "lambda"
            assert listed(statement["Principal"]["Service"]) == [f"{service}.amazonaws.com"]
            assert statement["Principal"].keys() == {"Service"}
            assert listed(statement["Action"]) == ["sts:AssumeRole"]


def test_only_the_ticket_url_can_be_asked_by_anybody(resources: Mapping[str, Any]) -> None:
    asking = {
        made["Properties"]["Principal"]: made["Properties"]
        for made in resources.values()
        if made["Type"] == "AWS::Lambda::Permission"
    }
    assert asking.keys() == {"*", "apigateway.amazonaws.com"}
    assert asking["*"]["FunctionName"] == {"Ref": "IssueTicket"}
