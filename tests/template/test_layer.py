"""A function imports nothing that is neither in its layers nor in Lambda's own runtime.

On this machine they run on the Python of .venv, where a package that was forgotten would be found.
"""

import re
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from itertools import combinations

import pytest

from local.needed import needed
from tests.template.template import FUNCTIONS, ROOT, layers, of_type

PINNED = {
    "DependenciesLayer": "requirements.txt",
    "TokensLayer": "requirements-tokens.txt",
    "KeysLayer": "requirements-keys.txt",
}
OF_LAMBDA = {"boto3", "botocore"}


def held(layer: str) -> set[str]:
    """The distributions in a layer."""
    return {
        normal(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / PINNED[layer]).read_text(), re.MULTILINE)
    }


def normal(name: str) -> str:
    """A distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def missing(imported: Iterable[str], there: set[str]) -> dict[str, list[str]]:
    """The names that come from no distribution that is there, with those that they would come from."""
    owners = {name: [normal(owner) for owner in packages_distributions().get(name, ())] for name in imported}
    return {name: owned for name, owned in owners.items() if not there.intersection(owned)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_package_that_a_function_imports_is_in_its_layers_or_in_the_runtime(function: str) -> None:
    imported = needed(function).others - sys.stdlib_module_names
    assert {"botocore", "aws_lambda_powertools"} <= imported
    assert not missing(imported, OF_LAMBDA.union(*map(held, layers(function))))


def test_only_functions_that_import_from_a_layer_have_it() -> None:
    assert of_type("AWS::Serverless::LayerVersion").keys() == PINNED.keys()
    for function in FUNCTIONS:
        imported = needed(function).others - sys.stdlib_module_names
        for layer in layers(function):
            others = OF_LAMBDA.union(*(held(one) for one in layers(function) if one != layer))
            assert missing(imported, others), f"{function} needs no {layer}"


def test_who_verifies_tokens_has_what_published_keys_need_where_there_are_such() -> None:
    for function in FUNCTIONS:
        assert ("KeysLayer" in layers(function, keys_published=True)) == ("TokensLayer" in layers(function))
        assert "KeysLayer" not in layers(function)
    assert of_type("AWS::Serverless::LayerVersion")["KeysLayer"]["Condition"] == "KeysPublished"


def test_no_package_is_in_two_layers() -> None:
    for one, other in combinations(PINNED, 2):
        assert not held(one) & held(other)
