"""The registry tells what it has: names, modes, descriptions and what payloads have to look like."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actions.catalog import MODULES, catalog
from actions.context import Context
from actions.registry import LONGEST_SYNC, Mode, Registry, action
from domain.commands import DEFAULT_RETRY
from domain.errors import InvalidAction
from local.template import resources

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


def fits(payload: Any, context: Context) -> None:
    """What an action looks like."""


def another(payload: Any, context: Context) -> None:
    """Likewise."""


def untyped(payload, context):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - that is its fault
    """Nobody can tell what it takes."""


def without_context(payload: Any) -> None:
    """Would not take what it is called with."""


def turned_round(context: Context, payload: Any) -> None:
    """Takes what it gets for something else."""


async def awaited(payload: Any, context: Context) -> None:
    """Would never run."""


def iterated(payload: Any, context: Context) -> Iterator[int]:  # noqa: ARG001 - the registry's signature
    """Would never run either."""
    yield 1


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize(
    ("run", "policy", "told"),
    [
        (untyped, {}, "payload has no type"),
        (without_context, {}, "a function of \\(payload, context\\)"),
        (turned_round, {}, "the payload comes first"),
        (awaited, {}, "a plain function"),
        (iterated, {}, "a plain function"),
        (fits, {"mode": "sync"}, "mode"),
        (fits, {"deadline": 30}, "deadline"),
        (fits, {"deadline": timedelta(0)}, "deadline"),
        (fits, {"mode": Mode.SYNC, "deadline": timedelta(minutes=1)}, "deadline"),
        (fits, {"max_attempts": "3"}, "max_attempts"),
        (fits, {"max_attempts": 0}, "max_attempts"),
        (fits, {"max_attempts": 101}, "max_attempts"),
        (fits, {"retry": 5}, "retry"),
        (fits, {"retry_on": ConnectionError}, "retry_on"),
        (fits, {"give_up_on": [ConnectionError]}, "give_up_on"),
        (fits, {"scope": ["tenant:read"]}, "scope"),
    ],
)
def test_what_an_author_gets_wrong_is_told_when_the_action_is_registered(
    run: Any, policy: dict[str, Any], told: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=f"wrong.*{told}"):
        action("wrong", **policy)(run)
    with pytest.raises(InvalidAction):
        catalog().get("wrong")


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize("name", ["", "x" * 65, "größe", "two\nlines"])
def test_a_name_that_no_request_could_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1-64 printable"):
        action(name)(fits)


@pytest.mark.usefixtures("own_registry")
def test_a_second_function_under_a_name_is_refused_and_the_same_one_is_not() -> None:
    for _ in range(2):
        action("mine")(fits)
    with pytest.raises(ValueError, match=r"mine.*before"):
        action("mine")(another)
    assert catalog().get("mine").run is fits


def test_a_synchronous_action_ends_before_the_function_that_answers_for_it() -> None:
    assert LONGEST_SYNC.total_seconds() < resources("AWS::Serverless::Function")["Message"]["Timeout"]


def test_every_action_that_ships_has_a_schema_and_a_description() -> None:
    for one in map(catalog().get, catalog().names()):
        assert isinstance(one.input_schema(), dict)
        assert one.description


def test_an_action_that_takes_anything_has_the_schema_that_allows_anything() -> None:
    echo = catalog().get("echo")
    assert (echo.mode, echo.input_schema()) == (Mode.SYNC, {})
