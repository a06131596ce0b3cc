"""template.yaml as data: an intrinsic function is a mapping from its name to its argument."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.template import PROJECT, template

ROOT: Final = PROJECT
TEMPLATE: Final[Mapping[str, Any]] = template()


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """The resources of a type, by their logical ids."""
    return {name: resource for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == kind}


FUNCTIONS: Final = {name: made["Properties"] for name, made in of_type("AWS::Serverless::Function").items()}
TABLES: Final = of_type("AWS::DynamoDB::Table")


def statements(function: str, policy: str) -> Iterator[Mapping[str, Any]]:
    """What a policy of a function's role allows, also under a condition."""
    for made in TEMPLATE["Resources"][f"{function}Role"]["Properties"]["Policies"]:
        for statement in made["PolicyDocument"]["Statement"] if made["PolicyName"] == policy else ():
            if "If" in statement:
                condition, chosen, otherwise = statement["If"]
                assert condition in TEMPLATE["Conditions"]
                assert otherwise == {"Ref": "AWS::NoValue"}
                yield chosen
            else:
                yield statement


def layers(function: str, *, keys_published: bool = False) -> list[str]:
    """The layers of a function: SAM adds its own to those of all. There is one more where an issuer publishes keys."""
    given = (*TEMPLATE["Globals"]["Function"]["Layers"], *FUNCTIONS[function].get("Layers", ()))
    chosen = [layer if "Ref" in layer else _chosen(layer["If"], keys_published) for layer in given]
    return [layer["Ref"] for layer in chosen if layer["Ref"] != "AWS::NoValue"]


def _chosen(either: list[Any], keys_published: bool) -> Any:  # noqa: FBT001 - the only condition of a layer
    condition, there, else_ = either
    assert condition == "KeysPublished"
    return there if keys_published else else_


def listed(value: Any) -> list[Any]:
    """One or several, as a policy may write them."""
    return value if isinstance(value, list) else [value]


def sources(kind: str) -> dict[str, dict[str, Any]]:
    """The event sources of a type, by function and name."""
    return {
        f"{function}.{name}": source["Properties"]
        for function, properties in FUNCTIONS.items()
        for name, source in properties.get("Events", {}).items()
        if source["Type"] == kind
    }
