"""The documents of the protocol say what the schema says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from domain.protocol import AnyClientFrame, AnyServerFrame, Error
from tools import protocol as documents

DOCUMENT: dict[str, Any] = json.loads((documents.DOCS / "asyncapi.json").read_text())


def test_the_asyncapi_document_is_that_of_the_schema() -> None:
    assert documents.asyncapi() == DOCUMENT, "make protocol"


def test_the_page_has_the_tables_of_the_schema() -> None:
    page = (documents.DOCS / "protocol.md").read_text()
    assert documents.with_tables(page) == page, "make protocol"


def test_a_table_that_was_changed_by_hand_is_found() -> None:
    page = (documents.DOCS / "protocol.md").read_text()
    changed = page.replace("`priority`", "`urgency`")
    assert changed != page
    assert documents.with_tables(changed) == page


def test_what_no_client_is_shown_is_not_told() -> None:
    events = documents.reference()["events"]
    for hidden in ("checkpoint", "source_ip"):
        assert f"`{hidden}`" not in events


def test_a_page_without_a_place_for_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "protocol.md").write_text("# The protocol\n")
    with pytest.raises(ValueError, match="client frames"):
        documents.main(tmp_path)


def test_every_client_frame_is_received_and_every_server_frame_is_sent() -> None:
    assert set(documents.REPLIES) == set(AnyClientFrame.__args__)
    told = {reply for replies in documents.REPLIES.values() for reply in replies}
    assert told | set(documents.PUSHED) | {Error} == set(AnyServerFrame.__args__)


def test_what_is_told_of_a_frame_is_made_of_sentences() -> None:
    for frame in (*AnyClientFrame.__args__, *AnyServerFrame.__args__):
        told = documents._doc(frame)
        assert told.endswith("."), told
        names = {field for field in frame.__struct_fields__ if "_" in field}
        assert not [name for name in names if re.search(rf"(?<!`)\b{name}\b", told)], told


def test_every_reference_in_the_document_leads_somewhere() -> None:
    found = 0
    for reference in references(DOCUMENT):
        place = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        found += 1
    assert found > 50


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        here = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return here + [inner for item in value.values() for inner in references(item)]
    return [inner for item in value for inner in references(item)] if isinstance(value, list) else []


@pytest.mark.parametrize(("frame", "field"), [("Submit", "type"), ("Submit", "action"), ("Ack", "type")])
def test_what_is_always_there_is_required(frame: str, field: str) -> None:
    assert field in DOCUMENT["components"]["schemas"][frame]["required"]


def test_what_the_server_leaves_out_is_never_null() -> None:
    assert DOCUMENT["components"]["schemas"]["Error"]["properties"]["request_id"] == {"type": "string"}
