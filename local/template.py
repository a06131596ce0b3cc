"""What template.yaml defines: the one reader of it, so that no table elsewhere can differ from the deployed ones."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # its stubs are not worth a requirement

PROJECT: Final = Path(__file__).resolve().parents[1]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads CloudFormation's short forms: `!Ref X` as {"Ref": "X"}, any other `!F x` as {"F": x}."""


def _short_form(loader: Any, name: str, node: Any) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            return {name: loader.construct_scalar(node)}
        case yaml.SequenceNode():
            return {name: loader.construct_sequence(node, deep=True)}
        case _:
            return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


@cache
def template() -> Mapping[str, Any]:
    """The whole template."""
    read: Mapping[str, Any] = yaml.load((PROJECT / "template.yaml").read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    return read


def resources(kind: str) -> dict[str, Mapping[str, Any]]:
    """The properties of the resources of one type by logical id."""
    found = template()["Resources"].items()
    return {name: resource.get("Properties", {}) for name, resource in found if resource["Type"] == kind}


def defaults() -> dict[str, str]:
    """The parameters that have a default."""
    parameters = template()["Parameters"].items()
    return {name: str(parameter["Default"]) for name, parameter in parameters if "Default" in parameter}


def environment(names: Mapping[str, str]) -> dict[str, str]:
    """The variables that functions are given: `names` has what a `!Ref` leads to, what else is computed is left out."""
    functions = [template()["Globals"]["Function"], *resources("AWS::Serverless::Function").values()]
    known = {**defaults(), "AWS::StackName": "streamer", **names}
    variables: dict[str, str] = {}
    for function in functions:
        for name, value in function.get("Environment", {}).get("Variables", {}).items():
            if isinstance(value, str):
                variables[name] = value
            elif "Ref" in value:
                variables[name] = known[value["Ref"]]
    return variables
