"""The registry tells what it has: names, modes, descriptions and what payloads have to look like."""

from actions.catalog import catalog
from actions.registry import Mode


def test_the_actions_are_listed_by_name() -> None:
    names = [action.name for action in catalog()]
    assert names == sorted(names)
    assert {"delay", "echo", "echo_async", "generate_report", "process_data"} <= set(names)


def test_an_action_tells_the_schema_of_its_payload() -> None:
    schema = catalog().get("delay").input_schema()
    assert schema["properties"]["steps"] == {
        "default": 5,
        "maximum": 1000,
        "minimum": 1,
        "title": "Steps",
        "type": "integer",
    }
    assert schema["additionalProperties"] is False


def test_every_action_that_ships_has_a_schema_and_a_description() -> None:
    for action in catalog():
        assert isinstance(action.input_schema(), dict)
        assert action.description


def test_an_action_that_takes_anything_has_the_schema_that_allows_anything() -> None:
    echo = catalog().get("echo")
    assert (echo.mode, echo.input_schema()) == (Mode.SYNC, {})
