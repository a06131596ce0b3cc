"""The registry tells what it has: names, modes, descriptions and what payloads have to look like."""

import subprocess
import sys
from pathlib import Path

import pytest

from actions.catalog import MODULES, catalog
from actions.registry import Mode, Registry
from domain.commands import DEFAULT_RETRY
from domain.errors import InvalidAction

ROOT = Path(__file__).resolve().parents[2]


def test_the_actions_are_listed_by_name() -> None:
    names = catalog().names()
    assert names == sorted(names)
    assert {"delay", "echo", "echo_async", "generate_report", "process_data"} <= set(names)


def test_an_action_tells_the_schema_of_its_payload() -> None:
    schema = catalog().get("delay").input_schema()
    assert schema["properties"]["steps"] == {
        "default": 5,
        "maximum": 1000,
        "minimum": 1,
        "type": "integer",
    }
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", MODULES)
def test_the_catalog_names_the_module_that_registers_the_action(name: str) -> None:
    action = Registry({}, MODULES).get(name)
    assert (action.name, action.run.__module__) == (name, MODULES[name])


def test_an_action_is_loaded_when_it_is_asked_for_and_pydantic_when_it_is_needed() -> None:
    code = (
        "import sys; from actions.catalog import catalog; actions = catalog()\n"
        "assert not {name for name in sys.modules if name.startswith('actions.')} & {'actions.delay', 'actions.echo'}\n"
        "actions.get('delay').read({'seconds': 2})\n"
        "assert 'pydantic' not in sys.modules\n"
        "actions.get('process_data').read({'csv': 'a'})\n"
        "assert 'pydantic' in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_an_action_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(InvalidAction, match="known are a, b"):
        Registry({}, {"b": "actions.b", "a": "actions.a"}).get("c")


@pytest.mark.parametrize("module", ["actions.no_such_module", "actions.limits"])
def test_an_action_that_cannot_be_loaded_fails_its_own_requests_alone(module: str) -> None:
    actions = Registry({}, {"broken": module, **MODULES})
    with pytest.raises((ImportError, LookupError)):
        actions.get("broken")
    assert actions.retry_policy("broken") == DEFAULT_RETRY
    assert actions.get("delay").name == "delay"


def test_every_action_that_ships_has_a_schema_and_a_description() -> None:
    for action in map(catalog().get, catalog().names()):
        assert isinstance(action.input_schema(), dict)
        assert action.description


def test_an_action_that_takes_anything_has_the_schema_that_allows_anything() -> None:
    echo = catalog().get("echo")
    assert (echo.mode, echo.input_schema()) == (Mode.SYNC, {})
