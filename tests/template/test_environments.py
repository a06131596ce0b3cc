"""Stacks live side by side, in one account and Region: nothing in the template has a name of its own."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.template.template import ROOT, TEMPLATE

SETTINGS: Final = tomllib.loads((ROOT / "samconfig.toml").read_text())
ENVIRONMENTS: Final = [name for name in SETTINGS if name not in {"version", "default"}]
# What names a resource where its type has such a property; a "Name" at the top of the properties does so everywhere.
NAMES: Final = re.compile(r"(Name|[A-Z]\w+Name)")
OTHERS_NAMES: Final = {"AttributeName", "DomainName", "IndexName", "MetricName", "PolicyName", "StageName"}


def names(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Everything that gives a resource its name."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        path = f"{where}.{key}"
        is_dimension = key == "Name" and set(value) == {"Name", "Value"}
        if NAMES.fullmatch(key) and key not in OTHERS_NAMES and not is_dimension:
            yield path, inner
        yield from names(inner, path)
    for place, inner in enumerate(value) if isinstance(value, list) else ():
        yield from names(inner, f"{where}[{place}]")


def test_every_name_is_the_stacks() -> None:
    given = [pair for name, made in TEMPLATE["Resources"].items() for pair in names(made.get("Properties", {}), name)]
    assert any(path.startswith("Sweep.") for path, _ in given)
    for path, name in given:
        assert "${AWS::StackName}" in name.get("Sub", ""), path


def test_nothing_is_exported_under_a_name_of_the_whole_account() -> None:
    assert not [name for name, output in TEMPLATE["Outputs"].items() if "Export" in output]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_is_a_stack_of_its_own(environment: str) -> None:
    deploy = SETTINGS[environment]["deploy"]["parameters"]
    assert deploy["stack_name"] == deploy["s3_prefix"] == f"streamer-{environment}"
    assert {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"} == set(deploy["capabilities"].split())
    assert SETTINGS[environment]["build"] == SETTINGS["default"]["build"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_sets_parameters_that_there_are_and_no_secret(environment: str) -> None:
    overrides = SETTINGS[environment]["deploy"]["parameters"]["parameter_overrides"]
    # sam writes one text when it keeps what it was answered
    for override in shlex.split(overrides) if isinstance(overrides, str) else overrides:
        name, _, value = override.partition("=")
        about = TEMPLATE["Parameters"][name]
        assert not about.get("NoEcho")
        if about["Type"] == "Number":
            assert about.get("MinValue", 0) <= int(value) <= about.get("MaxValue", int(value))
            assert int(value) in about.get("AllowedValues", [int(value)])


def test_there_are_two_environments_and_only_production_asks_before_it_changes() -> None:
    asks = {name: SETTINGS[name]["deploy"]["parameters"]["confirm_changeset"] for name in ENVIRONMENTS}
    assert asks == {"dev": False, "prod": True}
