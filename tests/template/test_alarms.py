"""Every alarm can fire: its figure exists, and whoever is woken by it finds a page that says what to do."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import pytest
from msgspec.structs import fields

from adapters.sweeper import Swept
from tests.template.template import FUNCTIONS, ROOT, TABLES, TEMPLATE, of_type, sources
from tests.template.witness import Witness

pytestmark = pytest.mark.xdist_group("witness")

ALARMS: Final = {name: made["Properties"] for name, made in of_type("AWS::CloudWatch::Alarm").items()}
RUNBOOK: Final = (ROOT / "docs" / "runbook.md").read_text()
OWN: Final = ("service", "AWS::StackName")
# What AWS publishes, by the names of its dimensions: the CloudWatch pages of Lambda, SQS, DynamoDB and API Gateway.
PUBLISHED: Final[Mapping[tuple[str, tuple[str, ...]], frozenset[str]]] = {
    ("AWS/Lambda", ("FunctionName",)): frozenset(
        {
            "ConcurrentExecutions",
            "DestinationDeliveryFailures",
            "Duration",
            "Errors",
            "Invocations",
            "IteratorAge",
            "Throttles",
        }
    ),
    ("AWS/SQS", ("QueueName",)): frozenset({"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}),
    ("AWS/DynamoDB", ("TableName",)): frozenset(
        {"ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"}
    ),
    ("AWS/DynamoDB", ("TableName", "GlobalSecondaryIndexName")): frozenset({"WriteThrottleEvents"}),
    ("AWS/ApiGateway", ("ApiId", "Stage")): frozenset(
        {"ClientError", "ConnectCount", "ExecutionError", "IntegrationError", "MessageCount"}
    ),
}


class Figure(NamedTuple):
    """A metric with its dimensions, each with what it refers to."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


def figure(metric: Mapping[str, Any]) -> Figure:
    dimensions = tuple((one["Name"], named(one["Value"])) for one in metric["Dimensions"])
    return Figure(metric["Namespace"], metric["MetricName"], dimensions)


def named(value: Any) -> str:
    """What a value refers to: a resource, an attribute of one, or itself."""
    if isinstance(value, str):
        return value
    ((kind, name),) = value.items()
    assert kind in {"Ref", "GetAtt"}
    assert name == "AWS::StackName" or name.partition(".")[0] in TEMPLATE["Resources"]
    return str(name)


def watched(alarm: Mapping[str, Any]) -> list[Figure]:
    """The figures that an alarm is about."""
    if "Metrics" not in alarm:
        return [figure(alarm)]
    total, *parts = alarm["Metrics"]
    assert total == {"Id": "sum", "Expression": "SUM(METRICS())", "ReturnData": True}
    assert not any(part["ReturnData"] for part in parts)
    return [figure(part["MetricStat"]["Metric"]) for part in parts]


def shown() -> Iterator[Figure]:
    """The figures that the dashboard shows."""
    for widget in dashboard()["widgets"]:
        for namespace, name, *rest in widget["properties"]["metrics"]:
            *dimensions, options = rest
            assert options["stat"] in {"Sum", "Maximum", "p99"}
            pairs = zip(dimensions[::2], dimensions[1::2], strict=True)
            yield Figure(namespace, name, tuple((key, re.sub(r"\$\{(.+)\}", r"\1", value)) for key, value in pairs))


def dashboard() -> Any:
    (made,) = of_type("AWS::CloudWatch::Dashboard").values()
    body = made["Properties"]["DashboardBody"]["Sub"]
    for name in re.findall(r"\$\{(.+?)\}", body):
        assert name.startswith("AWS::") or name.partition(".")[0] in TEMPLATE["Resources"]
    return json.loads(body)


def told(witness: Witness) -> set[str]:
    """The figures that the functions tell: those of the scenario, and the sweeper's for what seldom happens."""
    seldom = {
        "".join(word.capitalize() for word in field.name.split("_"))
        for field in fields(Swept)
        if not field.name.endswith("_s")
    }
    return seldom.union(*witness.figures.values())


def test_every_figure_that_an_alarm_or_the_dashboard_is_about_exists(witness: Witness) -> None:
    own = told(witness)
    figures = [*shown(), *(one for alarm in ALARMS.values() for one in watched(alarm))]
    assert len(figures) > 60
    for one in figures:
        if one.namespace == "Streamer":
            assert one.name in own
            assert one.dimensions == (OWN,)
        else:
            assert one.name in PUBLISHED[one.namespace, tuple(name for name, _ in one.dimensions)], one


def test_the_scenario_leads_to_the_figures_that_alarms_are_about(witness: Witness) -> None:
    own = {one.name for alarm in ALARMS.values() for one in watched(alarm) if one.namespace == "Streamer"}
    assert own <= set().union(*witness.figures.values())


def about(namespace: str, name: str) -> list[tuple[str, ...]]:
    """What the alarms about a figure are about, by the values of its dimensions."""
    found = (one for alarm in ALARMS.values() for one in watched(alarm) if one[:2] == (namespace, name))
    return sorted(tuple(value for _, value in one.dimensions) for one in found)


def test_no_function_no_table_and_no_index_fails_unseen() -> None:
    functions = sorted((name,) for name in FUNCTIONS)
    tables: list[tuple[str, ...]] = [(name,) for name in TABLES]
    indexes: list[tuple[str, ...]] = [
        (name, index["IndexName"])
        for name, table in TABLES.items()
        for index in table["Properties"].get("GlobalSecondaryIndexes", ())
    ]
    assert about("AWS/Lambda", "Errors") == functions
    assert about("AWS/Lambda", "Throttles") == functions
    assert about("AWS/DynamoDB", "ReadThrottleEvents") == sorted(tables)
    assert about("AWS/DynamoDB", "WriteThrottleEvents") == sorted(tables + indexes)


def test_no_reader_of_a_stream_is_behind_unseen() -> None:
    readers = {(name.partition(".")[0],) for name in sources("DynamoDB")}
    assert set(about("AWS/Lambda", "IteratorAge")) == readers
    assert about("AWS/SQS", "ApproximateNumberOfMessagesVisible") == [("WorkDeadLetterQueue.QueueName",)]


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_is_one_that_cloudwatch_takes_and_is_told_to_whoever_listens(alarm: str) -> None:
    made = ALARMS[alarm]
    topic = {"If": ["HasAlarmTopic", [{"Ref": "AlarmTopic"}], {"Ref": "AWS::NoValue"}]}
    assert (made["AlarmActions"], made["OKActions"]) == (topic, topic)
    assert "AlarmName" not in made
    assert len(made.get("Metrics", ())) <= 10
    # The emulator has no arithmetic: only those alarms are left out there.
    assert TEMPLATE["Resources"][alarm].get("Condition") == ("OnAws" if "Metrics" in made else None)
    silence = "breaching" if alarm == "SweeperSilentAlarm" else "notBreaching"
    assert made["TreatMissingData"] == silence


def pages() -> dict[str, str]:
    """The pages of the runbook that are about alarms, by the anchors of their headings."""
    (part,) = re.findall(r"^## Alarms\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    parts = re.split(r"^### (.+)\n", part, flags=re.MULTILINE)[1:]
    return {re.sub(r"\W+", "-", title).lower(): text for title, text in zip(parts[::2], parts[1::2], strict=True)}


def test_every_alarm_has_a_page_that_says_what_it_means_and_what_to_do_and_no_page_is_left_over() -> None:
    named_pages = {}
    for name, alarm in ALARMS.items():
        match = re.fullmatch(r".+ - docs/runbook\.md#([a-z-]+)", alarm["AlarmDescription"])
        assert match, name
        named_pages[match[1]] = name
    found = pages()
    assert found.keys() == named_pages.keys()
    for page, text in found.items():
        assert "**Means**" in text, page
        assert "**Do**" in text, page


def test_the_widgets_of_the_dashboard_are_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in dashboard()["widgets"]:
        assert widget["x"] + widget["width"] <= 24
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not taken & cells
        taken |= cells
