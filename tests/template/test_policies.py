"""Least privilege: each function is allowed exactly what it asks for when everything happens that it is made for."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

import pytest

from domain.protocol import AnyClientFrame
from tests.template.template import FUNCTIONS, listed, statements
from tests.template.witness import Permission, Witness

MANAGEMENT: Final = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WebSocketApi}/live/"

SECRET: Final = ":secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${TokenSecret}-??????"

pytestmark = pytest.mark.xdist_group("witness")  # one scenario is enough for all


def resource(named: Any) -> str:
    """A resource of a policy in the witness's words."""
    match named:
        case {"GetAtt": str(arn)}:
            assert arn.endswith(".Arn")
            return arn.removesuffix(".Arn")
        case {"Sub": str(text)} if text.startswith(MANAGEMENT):
            return f"WebSocketApi/{text.removeprefix(MANAGEMENT).removesuffix('/@connections/*')}"
        case {"Sub": str(text)}:
            return re.sub(r"\$\{(\w+)\.Arn\}", r"\1", text)
        case {"If": ["KeyGiven", {"GetAtt": "TokenKeySecret.Id"}, {"Sub": str(text)}]} if text.endswith(SECRET):
            return "TokenSecret"
        case _:
            raise AssertionError(f"what is this? {named}")


def allowed(statement: Mapping[str, Any]) -> Iterator[Permission]:
    for action in listed(statement["Action"]):
        for named in listed(statement["Resource"]):
            yield action, resource(named)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_allowed_what_it_asks_for_and_nothing_else(witness: Witness, function: str) -> None:
    given = {permission for statement in statements(function) for permission in allowed(statement)}
    asked = witness.allowed[function]
    assert sorted(asked - given) == [], f"{function} may not, but asks for it"
    assert sorted(given - asked) == [], f"{function} may, but never asks for it"


def test_every_type_of_frame_was_sent(witness: Witness) -> None:
    frames = get_args(AnyClientFrame)
    assert witness.frames == {get_args(frame.model_fields["type"].annotation)[0] for frame in frames}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_permission_is_for_everything(function: str) -> None:
    for statement in statements(function):
        assert statement["Effect"] == "Allow"
        for action, named in allowed(statement):
            assert "*" not in action
            assert re.fullmatch(r"\w+(/\*|/index/\w+|/POST|/DELETE)?", named), named


def test_no_permission_is_given_twice() -> None:
    for function in FUNCTIONS:
        given = [permission for statement in statements(function) for permission in allowed(statement)]
        assert len(given) == len(set(given)), function
