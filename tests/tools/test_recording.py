"""Records are found in every form in which one comes by them; what is none is told of with its line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.kit import replay as kit
from tests.kit.clock import FakeClock
from tests.kit.record_streams import FIXTURES
from tests.kit.requests import Requests
from tests.kit.stories import tell_all
from tests.kit.streams import StreamReader
from tests.kit.tables import on_moto
from tools import capture, streamer

EVENTS = FIXTURES / "moto-events.json"


@pytest.fixture
def records() -> list[Any]:
    return kit.records_of(EVENTS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recording.jsonl"


def lines(*values: Any) -> str:
    return "".join(f"{json.dumps(value)}\n" for value in values)


def forms(records: list[Any]) -> dict[str, str]:
    event = {"Records": records}
    return {
        "a record a line": lines(*records),
        "lines with gaps between": "\n\n".join(map(json.dumps, records)),
        "several in a line": lines({"Records": records[:10]}, {"Records": records[10:]}),
        "an event of Lambda in one line": lines(event),
        "an event of Lambda over many lines": json.dumps(event, indent=2),
        "an object of the failure destination": json.dumps({"version": "1.0", "payload": json.dumps(event)}, indent=2),
        "objects of the quarantine": lines(*({"reason": "made up", "record": record} for record in records)),
    }


@pytest.mark.parametrize("form", forms([]))
def test_every_form_of_a_recording_tells_the_same(records: list[Any], file: Path, form: str) -> None:
    file.write_text(forms(records)[form])
    reading = kit.read(file)
    assert (reading.read, reading.unreadable, reading.duplicate) == (len(records), [], 0)
    assert reading.told() == kit.read(EVENTS).told()


@pytest.mark.parametrize("form", forms([]))
def test_a_recording_may_come_through_a_pipe(records: list[Any], form: str, capsys: pytest.CaptureFixture[str]) -> None:
    end, other_end = os.pipe()

    def write() -> None:
        with os.fdopen(other_end, "w", encoding="utf-8") as pipe:
            pipe.write(forms(records)[form])

    Thread(target=write, daemon=True).start()
    assert streamer.main(["replay", f"/dev/fd/{end}", "--projection", "requests"]) == 0
    os.close(end)
    printed = capsys.readouterr()
    assert [json.loads(line) for line in printed.out.splitlines()] == kit.rows_of(records, "requests")
    assert printed.err == "34 records (0 duplicate, 0 skipped, 0 unreadable) → 9 rows\n"


def spoilt(record: Any, **changes: Any) -> Any:
    """The record with other attributes in its image."""
    change = record["dynamodb"]
    return {**record, "dynamodb": {**change, "NewImage": {**change["NewImage"], **changes}}}


def test_what_no_code_can_read_is_told_with_its_line_and_the_rest_is_used(records: list[Any], file: Path) -> None:
    first = records[0]
    bad = [
        (spoilt(first, schema={"N": "99"}), "schema"),
        (spoilt(first, at={"S": "yesterday"}), "at is no instant"),
        (spoilt(first, event_id={"S": "f" * 32}), "another event has this version"),
        ({**first, "eventName": "MODIFY"}, "the log was changed"),
        ({"dynamodb": {"Keys": {"tenant": {"S": "x"}}}, "eventName": "INSERT"}, "of no table"),
        ({"dynamodb": None}, "of no table"),
        ({"hello": 1}, "not a stream record"),
        ([], "not a stream record"),
    ]
    file.write_text(lines(*records, *(value for value, _ in bad)) + '{"half": \n')
    reading = kit.read(file)
    assert [line for line, _ in reading.unreadable] == list(range(len(records) + 1, len(records) + 10))
    for (_, reason), (_, wanted) in zip(reading.unreadable, [*bad, (None, "Not valid JSON")], strict=True):
        assert wanted in reason
    assert reading.told() == kit.read(EVENTS).told()


def test_a_file_that_starts_with_half_a_line_is_read_line_by_line(records: list[Any], file: Path) -> None:
    file.write_text('2"}}}\n' + lines(*records))
    reading = kit.read(file)
    assert [line for line, _ in reading.unreadable] == [1]
    assert reading.read == len(records) + 1


def test_a_payload_that_is_not_json_is_told_in_a_document_too(file: Path) -> None:
    file.write_text('{\n"payload": "not json"\n}\n')
    reading = kit.read(file)
    [(record, reason)] = reading.unreadable
    assert (record, reason.startswith("Not valid JSON")) == (1, True)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_recording_tells_nothing(file: Path, content: str) -> None:
    file.write_text(content)
    assert (kit.read(file).read, kit.read(file).told().requests) == (0, ())


def test_rows_whose_time_was_over_are_skipped_and_what_came_twice_is_counted(records: list[Any], file: Path) -> None:
    gone = {**records[0], "eventName": "REMOVE", "dynamodb": {"Keys": records[0]["dynamodb"]["Keys"]}}
    file.write_text(lines(*records, gone, *records[:3]))
    reading = kit.read(file)
    assert (reading.skipped, reading.duplicate, reading.unreadable) == (1, 3, [])


def test_requests_of_which_events_are_missing_are_named(records: list[Any], file: Path) -> None:
    names = [record["dynamodb"]["Keys"]["request_id"]["S"] for record in records]
    longest = max(set(names), key=names.count)
    places = [place for place, name in enumerate(names) if name == longest]
    assert len(places) > 4
    for left_out in (places[0], places[2]):
        file.write_text(lines(*records[:left_out], *records[left_out + 1 :]))
        assert kit.read(file).told().incomplete() == [longest]
    assert kit.read(EVENTS).told().incomplete() == []


def test_a_captured_stream_is_a_recording(file: Path) -> None:
    with on_moto() as aws:
        tell_all(Requests(aws, FakeClock()))
        count = capture.write(StreamReader(aws.streams, aws.tables["Events"]).read(), file)
    assert kit.read(file).told() == kit.read(EVENTS).told()
    assert len(file.read_text().splitlines()) == count


def test_the_command_prints_rows_as_json_lines_and_sums_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert streamer.main(["replay", str(EVENTS), "--projection", "requests"]) == 0
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert rows == kit.rows_of(kit.records_of(EVENTS), "requests")
    assert printed.err == "34 records (0 duplicate, 0 skipped, 0 unreadable) → 9 rows\n"


def test_the_command_fails_when_a_record_is_unreadable(
    records: list[Any], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(lines(*records[:2], {"hello": 1}))
    assert streamer.main(["replay", str(file), "--projection", "dispatch"]) == 1
    printed = capsys.readouterr()
    assert printed.err.splitlines()[0] == "line 3: Unreadable record (not a stream record)"
    assert len(printed.out.splitlines()) == 2


def test_no_terminal_obeys_what_a_recording_has(
    records: list[Any], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(lines({**records[0], "eventName": "\x1b[2J"}))
    assert streamer.main(["replay", str(file), "--projection", "dispatch"]) == 1
    told = capsys.readouterr().err
    assert ("\\u001b[2J" in told, "\x1b" in told) == (True, False)


def test_the_command_says_that_there_is_no_such_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert streamer.main(["replay", str(file), "--projection", "audit"]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize("buffered", ["-u", "-q"])
def test_who_has_read_enough_of_the_rows_ends_the_command_in_silence(buffered: str) -> None:
    end, other_end = os.pipe()
    os.close(end)
    command = [sys.executable, buffered, "-m", "tools.streamer", "replay", str(EVENTS), "--projection", "requests"]
    ended = subprocess.run(command, stdout=other_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(other_end)
    assert (ended.returncode, "Errno" in ended.stderr) == (1, False)


def test_a_capture_without_a_stack_says_how_to_get_one(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(file.parent)
    assert streamer.main(["capture", "--out", str(file)]) == 3
    assert "make up" in capsys.readouterr().err
