"""What is deployed: only what the functions need, for Lambda's machine, and little to load before the first answer."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from local.sizes import Artefact, artefact, imported
from tests.template.template import FUNCTIONS, ROOT

PACKAGES = {"actions", "adapters", "domain", "handlers", "projections"}
KB, MB = 1024, 1024 * 1024
# What each layer holds among other things, and how large it may be in an archive.
LAYERS = {
    "DependenciesLayer": ({"pydantic", "simplejson", "aws_lambda_powertools"}, 6 * MB),
    "TokensLayer": ({"jwt"}, 100 * KB),
    "KeysLayer": ({"cryptography"}, 8 * MB),
}
PYTHONS = ("3.12", "3.13", "3.14")
WITH_LIBRARIES = ("requirements.txt", "requirements-keys.txt")
REQUIREMENTS = (*WITH_LIBRARIES, "requirements-tokens.txt")
ELF_MACHINES = {"aarch64": 0xB7, "x86_64": 0x3E}
# Generous: half as much again as today. What goes beyond should do so on purpose.
MODULES = {"Authorize": 270, "Connect": 240, "Disconnect": 230, "IssueTicket": 380}
MODULES_ELSEWHERE = 900


def built(target: str, to: Path, **variables: str) -> Artefact:
    """What one target of the Makefile copies for sam."""
    to.mkdir()
    given = [f"{name}={value}" for name, value in {"ARTIFACTS_DIR": str(to), **variables}.items()]
    subprocess.run(["make", f"build-{target}", *given], cwd=ROOT, check=True, capture_output=True)  # noqa: S607
    return artefact(to)


@pytest.mark.parametrize(("function", "most"), [("Disconnect", 40 * KB), ("Authorize", 50 * KB), ("Message", 200 * KB)])
def test_a_function_is_small_and_has_no_tests_documents_or_compiled_files(
    function: str, most: int, tmp_path: Path
) -> None:
    made = built(function, tmp_path / function)
    assert set(made.packages) <= PACKAGES
    assert made.zipped < most
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} == {".py"}
    assert not [file for file in tmp_path.rglob("*") if "test_" in file.name]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_has_wheels_of_lambdas_machine_whatever_this_one_is(layer: str, tmp_path: Path) -> None:
    packages, most_zipped = LAYERS[layer]
    made = built(layer, tmp_path / "layer", LAYER_PYTHON="3.13", LAYER_PLATFORM="aarch64")
    assert made.packages == ("python",)
    assert made.zipped < most_zipped
    top = {path.name for path in (tmp_path / "layer" / "python").iterdir()}
    assert packages <= top
    others = {name for names, _ in LAYERS.values() for name in names} - packages
    assert not top & {"boto3", "botocore", "pytest", "rich", "websockets", "ministack", "samcli", "moto", *others}
    libraries = [*(tmp_path / "layer").rglob("*.so"), *(tmp_path / "layer").rglob("*.so.*")]
    assert bool(libraries) == (layer != "TokensLayer")
    for library in libraries:
        (machine,) = struct.unpack_from("<H", library.read_bytes(), 18)
        assert machine == ELF_MACHINES["aarch64"], library.name
        tag = library.name.split(".")[1]
        assert tag == "abi3" or tag.startswith("cpython-313-aarch64"), library.name


def resolved(requirements: str, python: str, platform: str, to: Path) -> subprocess.CompletedProcess[str]:
    """What the index says to requirements for a machine and a Python; nothing is downloaded."""
    uv = str(Path(sys.executable).with_name("uv"))
    chosen = (f"--python-version={python}", f"--python-platform={platform}-manylinux_2_28")
    pinned = (f"--requirements={requirements}", "--require-hashes", "--no-deps", "--only-binary=:all:")
    install = [uv, "pip", "install", "--dry-run", f"--target={to}", *chosen, *pinned]
    return subprocess.run(install, cwd=ROOT, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("requirements", REQUIREMENTS)
@pytest.mark.parametrize("platform", ELF_MACHINES)
@pytest.mark.parametrize("python", PYTHONS)
def test_what_is_pinned_has_a_wheel_for_every_python_and_machine_of_lambda(
    python: str, platform: str, requirements: str, tmp_path: Path
) -> None:
    found = resolved(requirements, python, platform, tmp_path)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("requirements", WITH_LIBRARIES)
def test_a_python_without_wheels_is_found(requirements: str, tmp_path: Path) -> None:
    found = resolved(requirements, "3.99", "aarch64", tmp_path)
    assert found.returncode != 0
    assert "Wheels are required" in found.stderr


@pytest.mark.parametrize("function", FUNCTIONS)
def test_little_is_imported_before_the_first_answer(function: str) -> None:
    loaded = imported(function)
    assert len(loaded.modules) < MODULES.get(function, MODULES_ELSEWHERE)
    assert not loaded.from_package("client", "local", "tools", "tests", "rich", "websockets", "moto", "requests")


def test_who_shows_a_token_waits_for_neither_the_sdk_nor_powertools() -> None:
    assert not imported("Authorize").from_package("boto3", "botocore", "aws_lambda_powertools", "actions")
