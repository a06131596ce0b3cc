"""One id leads through the logs of all functions from a frame to the push of its result."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.template.template import TEMPLATE
from tests.template.witness import Witness

pytestmark = pytest.mark.xdist_group("witness")


def following(lines: list[Mapping[str, Any]], correlation_id: str) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        if line.get("correlation_id") == correlation_id or correlation_id in line.get("correlation_ids", ()):
            yield line


def test_a_request_is_followed_from_its_frame_over_the_streams_and_the_worker_to_the_push(witness: Witness) -> None:
    completed = [line for line in witness.lines["Work"] if line.get("status") == "COMPLETED"]
    assert completed
    for line in completed:
        found = {name: [*following(lines, line["correlation_id"])] for name, lines in witness.lines.items()}
        assert {name for name, lines in found.items() if lines} == {
            "Message",
            "ProjectViews",
            "NotifySubscribers",
            "Work",
        }
        assert {one["request_id"] for one in found["Message"]} == {line["request_id"]}


def test_every_line_names_its_stack(witness: Witness) -> None:
    assert {line["service"] for lines in witness.lines.values() for line in lines} == {"streamer"}


def test_all_functions_log_into_one_group_that_is_not_kept_for_ever() -> None:
    assert TEMPLATE["Globals"]["Function"]["LoggingConfig"] == {"LogGroup": {"Ref": "FunctionLogs"}}
    assert TEMPLATE["Resources"]["FunctionLogs"]["Properties"] == {"RetentionInDays": {"Ref": "LogRetentionDays"}}
    assert TEMPLATE["Globals"]["Function"]["Tracing"] == "Active"
