"""The deployed console: there only when asked for, and its files are read through the distribution alone."""

from typing import Any, Final

from tests.template.template import TEMPLATE

PARTS: Final = {name: made for name, made in TEMPLATE["Resources"].items() if name.startswith("Console")}
STATEMENTS: Final[list[dict[str, Any]]] = PARTS["ConsoleBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]


def test_it_is_not_there_unless_it_is_asked_for() -> None:
    assert TEMPLATE["Parameters"]["Console"]["Default"] == "false"
    assert len(PARTS) == 5
    assert {part["Condition"] for part in PARTS.values()} == {"WithConsole"}
    told = {name: output for name, output in TEMPLATE["Outputs"].items() if name.startswith("Console")}
    assert {output["Condition"] for output in told.values()} == {"WithConsole"}
    assert set(told) == {"ConsoleUrl", "ConsoleBucket"}


def test_its_bucket_is_private_and_read_by_its_distribution_alone() -> None:
    bucket = PARTS["ConsoleBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (allowed,) = [statement for statement in STATEMENTS if statement["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allowed["Action"] == "s3:GetObject"
    assert "ConsoleDistribution" in allowed["Condition"]["StringEquals"]["AWS:SourceArn"]["Sub"]


def test_nothing_of_it_goes_over_an_open_line() -> None:
    (denied,) = [statement for statement in STATEMENTS if statement["Effect"] == "Deny"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    distribution = PARTS["ConsoleDistribution"]["Properties"]["DistributionConfig"]
    assert distribution["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"
    assert distribution["DefaultCacheBehavior"]["ResponseHeadersPolicyId"] == {"Ref": "ConsoleHeaders"}
    (origin,) = distribution["Origins"]
    assert origin["OriginAccessControlId"] == {"Ref": "ConsoleAccess"}
