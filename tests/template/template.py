"""template.yaml as data: an intrinsic function is a mapping from its name to its argument."""

from pathlib import Path
from typing import Any, Final

import yaml  # type: ignore[import-untyped]  # its stubs are not worth a requirement

ROOT: Final = Path(__file__).parents[2]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short forms: !Ref a is {Ref: a}, !GetAtt a.b is {GetAtt: a.b}."""


def _intrinsic(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            return {name: loader.construct_scalar(node)}
        case yaml.SequenceNode():
            return {name: loader.construct_sequence(node, deep=True)}
        case _:
            raise TypeError(name)


_Loader.add_multi_constructor("!", _intrinsic)
TEMPLATE: Final[dict[str, Any]] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)  # noqa: S506 - a safe loader


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a type, by their logical ids."""
    return {name: resource for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == kind}


FUNCTIONS: Final = {name: made["Properties"] for name, made in of_type("AWS::Serverless::Function").items()}
TABLES: Final = of_type("AWS::DynamoDB::Table")


def sources(kind: str) -> dict[str, dict[str, Any]]:
    """The event sources of a type, by function and name."""
    return {
        f"{function}.{name}": source["Properties"]
        for function, properties in FUNCTIONS.items()
        for name, source in properties.get("Events", {}).items()
        if source["Type"] == kind
    }
