"""What is deployed: only what the functions need, for Lambda's machine, and little to load before the first answer."""

import struct
import subprocess
from pathlib import Path

import pytest

from local.sizes import Artefact, artefact, imported
from tests.template.template import FUNCTIONS, ROOT

PACKAGES = ("actions", "adapters", "domain", "handlers", "projections")
KB, MB = 1024, 1024 * 1024
ELF_MACHINES = {"aarch64": 0xB7, "x86_64": 0x3E}
# Generous: half as much again as today. What goes beyond should do so on purpose.
MODULES = {"Authorize": 340}
MODULES_ELSEWHERE = 900


def built(target: str, to: Path, **variables: str) -> Artefact:
    """What one target of the Makefile copies for sam."""
    to.mkdir()
    given = [f"{name}={value}" for name, value in {"ARTIFACTS_DIR": str(to), **variables}.items()]
    subprocess.run(["make", f"build-{target}", *given], cwd=ROOT, check=True, capture_output=True)  # noqa: S607
    return artefact(to)


def test_a_function_has_the_packages_that_it_needs_and_nothing_else(tmp_path: Path) -> None:
    made = built("Message", tmp_path / "Message")
    assert made.packages == PACKAGES
    assert made.zipped < 400 * KB
    assert not [file for file in tmp_path.rglob("*") if file.suffix in {".pyc", ".html"} or "test_" in file.name]


@pytest.mark.parametrize(("python", "platform"), [("3.13", "aarch64")])
def test_the_layer_has_wheels_of_lambdas_machine_whatever_this_one_is(
    tmp_path: Path, python: str, platform: str
) -> None:
    made = built("DependenciesLayer", tmp_path / "layer", LAYER_PYTHON=python, LAYER_PLATFORM=platform)
    assert made.packages == ("python",)
    assert made.bytes < 40 * MB
    assert made.zipped < 15 * MB
    top = {path.name for path in (tmp_path / "layer" / "python").iterdir()}
    assert {"pydantic", "jwt", "simplejson", "aws_lambda_powertools"} <= top
    assert not top & {"boto3", "botocore", "pytest", "rich", "websockets", "ministack", "samcli", "moto"}
    libraries = [*(tmp_path / "layer").rglob("*.so"), *(tmp_path / "layer").rglob("*.so.*")]
    assert libraries
    for library in libraries:
        (machine,) = struct.unpack_from("<H", library.read_bytes(), 18)
        assert machine == ELF_MACHINES[platform], library.name
        tag = library.name.split(".")[1]
        assert tag == "abi3" or tag.startswith(f"cpython-{python.replace('.', '')}-{platform}"), library.name


@pytest.mark.parametrize("function", FUNCTIONS)
def test_little_is_imported_before_the_first_answer(function: str) -> None:
    loaded = imported(function)
    assert len(loaded.modules) < MODULES.get(function, MODULES_ELSEWHERE)
    assert not loaded.from_package("client", "local", "tools", "tests", "rich", "websockets", "moto", "requests")


def test_who_shows_a_token_waits_for_neither_the_sdk_nor_powertools() -> None:
    assert not imported("Authorize").from_package("boto3", "botocore", "aws_lambda_powertools", "actions")
