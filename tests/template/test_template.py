"""What template.yaml promises: nothing is lost quietly, nothing is allowed needlessly, nothing is missing."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import Any

import pytest

from handlers.settings import Settings
from tests.template.template import FUNCTIONS, ROOT, TABLES, TEMPLATE, listed, of_type, sources, statements

STREAMS = sources("DynamoDB")


def module_of(function: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", function).lower()


def test_there_are_streams_and_functions_to_check() -> None:
    assert len(STREAMS) >= 4
    assert len(FUNCTIONS) == 9
    assert len(TABLES) == 8


@pytest.mark.parametrize("stream", STREAMS)
def test_a_failed_batch_is_cut_down_tried_again_and_set_aside_in_the_end(stream: str) -> None:
    mapping = STREAMS[stream]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 1 <= mapping["MaximumRetryAttempts"] <= 100
    assert 60 <= mapping["MaximumRecordAgeInSeconds"] < 24 * 60 * 60, "the stream forgets after a day"
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == {"GetAtt": "FailuresBucket.Arn"}
    assert mapping["StartingPosition"] == "TRIM_HORIZON"


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_wakes_a_function_only_for_rows_that_come_or_go(stream: str) -> None:
    mapping = STREAMS[stream]
    (chosen,) = mapping["FilterCriteria"]["Filters"]
    from_log = mapping["Stream"] == {"GetAtt": "EventsTable.StreamArn"}
    assert json.loads(chosen["Pattern"]) == {"eventName": ["INSERT"] if from_log else ["INSERT", "REMOVE"]}


def test_a_stream_has_at_most_two_readers() -> None:
    readers = Counter(mapping["Stream"]["GetAtt"] for mapping in STREAMS.values())
    assert max(readers.values()) <= 2


def test_a_table_that_a_projection_writes_does_not_wake_that_projection() -> None:
    streamed = {name for name, table in TABLES.items() if "StreamSpecification" in table["Properties"]}
    assert streamed == {"EventsTable", "ConnectionsTable", "SubscriptionsTable"}
    assert TABLES["EventsTable"]["Properties"]["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_named_after_its_module_and_its_handler_is_there(function: str) -> None:
    module, _, name = FUNCTIONS[function]["Handler"].rpartition(".")
    assert module == f"handlers.{module_of(function)}"
    assert callable(getattr(import_module(module), name))


def test_every_module_with_a_handler_is_a_function() -> None:
    found = {
        path.stem
        for path in (ROOT / "handlers").glob("*.py")
        if re.search(r"^def handler\(", path.read_text(), re.MULTILINE)
    }
    assert found == {module_of(function) for function in FUNCTIONS}


def variables(properties: dict[str, Any]) -> set[str]:
    return set(properties.get("Environment", {}).get("Variables", {}))


def test_every_setting_has_its_variable_and_every_variable_its_setting() -> None:
    given = variables(TEMPLATE["Globals"]["Function"]).union(*map(variables, FUNCTIONS.values()))
    ours = {name for name in given if not name.startswith(("POWERTOOLS_", "PYDANTIC_"))}
    assert ours == {field.name.upper() for field in fields(Settings)}


def test_every_function_has_the_settings_without_which_it_does_not_start() -> None:
    everywhere = dict.fromkeys(variables(TEMPLATE["Globals"]["Function"]), "1")
    assert Settings.read(everywhere).events_table == "1"


def test_only_functions_that_verify_tokens_have_the_key() -> None:
    knowing = {function for function, properties in FUNCTIONS.items() if "TOKEN_SECRET" in variables(properties)}
    assert knowing == {"Authorize", "IssueTicket"}


@pytest.mark.parametrize("table", TABLES)
def test_the_rows_of_every_table_end(table: str) -> None:
    ends = TABLES[table]["Properties"]["TimeToLiveSpecification"]
    # A request's row is the projections' cursor and must outlive its log.
    assert ends == {"AttributeName": "removed_at" if table == "RequestsTable" else "expires_at", "Enabled": True}


@pytest.mark.parametrize("table", TABLES)
def test_what_cannot_be_made_again_outlives_the_stack_and_can_be_recovered(table: str) -> None:
    made = TABLES[table]
    kept = table in {"EventsTable", "AuditTable"}
    policies = ("RetainExceptOnCreate", "Retain") if kept else ("Delete", "Delete")
    assert (made["DeletionPolicy"], made["UpdateReplacePolicy"]) == policies
    recovery = made["Properties"].get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False)
    assert recovery is kept


@pytest.mark.parametrize("table", TABLES)
def test_a_table_costs_what_is_used_and_gets_its_name_from_the_stack(table: str) -> None:
    properties = TABLES[table]["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert "TableName" not in properties


def test_executions_can_be_set_aside_for_what_must_not_wait_for_workers() -> None:
    setting_aside = {name for name, function in FUNCTIONS.items() if "ReservedConcurrentExecutions" in function}
    assert setting_aside == {"Message", "NotifySubscribers", "ProjectViews"}
    reserved = {"If": ["Reserves", {"Ref": "ReservedConcurrency"}, {"Ref": "AWS::NoValue"}]}
    assert all(FUNCTIONS[name]["ReservedConcurrentExecutions"] == reserved for name in setting_aside)


def test_a_token_stays_hidden_while_its_worker_runs() -> None:
    queue = of_type("AWS::SQS::Queue")["WorkQueue"]["Properties"]
    assert queue["VisibilityTimeout"] > FUNCTIONS["Work"]["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 3
    (tokens,) = sources("SQS").values()
    assert tokens["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert tokens["BatchSize"] == 1, "a token that waits behind another one would be late"


def test_only_who_sends_to_the_queue_that_wakes_it_may_wake_itself_more_than_sixteen_times_in_a_row() -> None:
    waking = {(name.partition(".")[0], source["Queue"]["GetAtt"]) for name, source in sources("SQS").items()}
    sending = {
        (function, resource["GetAtt"])
        for function in FUNCTIONS
        for statement in statements(function, "asks")
        if "sqs:SendMessage" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }
    looping = {function for function, _ in waking & sending}
    assert looping == {"Work"}
    allowed = {function: made["RecursiveLoop"] for function, made in FUNCTIONS.items() if "RecursiveLoop" in made}
    assert allowed == dict.fromkeys(looping, "Allow"), "docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html"


def test_a_turn_of_the_sweeper_that_failed_or_could_not_begin_is_left_to_the_next_one() -> None:
    ((name, schedule),) = sources("ScheduleV2").items()
    assert (name, schedule["ScheduleExpression"]) == ("Sweep.EachMinute", "rate(1 minute)")
    assert schedule["RetryPolicy"] == {"MaximumRetryAttempts": 0}
    # A schedule invokes asynchronously: docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html
    assert FUNCTIONS["Sweep"]["EventInvokeConfig"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    assert FUNCTIONS["Sweep"]["Timeout"] < 60, "no turn runs beside the next"


def test_what_lies_in_the_buckets_is_never_removed_with_the_stack() -> None:
    closed = {
        made["Properties"]["Bucket"]["Ref"]: statement["Resource"]
        for made in of_type("AWS::S3::BucketPolicy").values()
        for statement in made["Properties"]["PolicyDocument"]["Statement"]
        if (statement["Effect"], statement["Action"]) == ("Deny", "s3:*")
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    for name, bucket in of_type("AWS::S3::Bucket").items():
        # What a deployment made that came to nothing is removed with it: each new try would leave another one.
        assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
        assert closed[name] == [{"GetAtt": f"{name}.Arn"}, {"Sub": f"${{{name}.Arn}}/*"}], "TLS only"
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}


@pytest.mark.parametrize("given", ["TokenKey", "TokenSecret", "TokenJwksUrl", None])
def test_a_stack_that_would_refuse_every_connect_is_not_made(given: str | None) -> None:
    (assertion,) = TEMPLATE["Rules"]["KeyOfTokens"]["Assertions"]
    defaults = {name: parameter.get("Default") for name, parameter in TEMPLATE["Parameters"].items()}
    assert holds(assertion["Assert"], defaults | ({given: "x" * 32} if given else {})) == (given is not None)
    assert all(name in assertion["AssertDescription"] for name in ("TokenKey", "TokenSecret", "TokenJwksUrl"))


def holds(condition: Any, parameters: Mapping[str, Any]) -> bool:
    """Whether a condition is true with such parameters."""
    match condition:
        case {"Not": [one]}:
            return not holds(one, parameters)
        case {"And": [*all_of]}:
            return all(holds(one, parameters) for one in all_of)
        case {"Equals": [{"Ref": name}, value]}:
            return bool(parameters[name] == value)
        case _:
            raise LookupError(f"no condition that is known here: {condition}")
