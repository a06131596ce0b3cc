"""What is pinned is not older than the release that closed a hole, as far as we know of holes: needs no network.

`make audit` asks for all that are known. A hole that matters to us gets a line here, so that no later pin reopens it.
"""

import re
from dataclasses import dataclass

import pytest
from packaging.version import Version

from local.template import PROJECT


@dataclass(frozen=True, slots=True)
class Floor:
    """The first release of a package without a hole, where that is told, and what one could do with it."""

    package: str
    version: str
    advisory: str
    hole: str


FLOORS = (
    Floor("pyjwt", "2.12.0", "CVE-2026-32597, GHSA-752w-5fwx-jx9f", "a token with an unknown `crit` is accepted"),
    Floor("pyjwt", "2.13.0", "CVE-2026-48526", "a public key in JSON is taken for the secret of HMAC"),
    Floor("cryptography", "46.0.6", "CVE-2026-34073", "names in certificates are held to too few constraints"),
    Floor("requests", "2.33.0", "CVE-2026-25645", "a file of another user is taken from the temporary folder"),
    Floor("urllib3", "2.6.0", "CVE-2025-66418", "a small answer is unpacked without bound"),
    Floor(
        "urllib3", "2.7.0", "CVE-2026-44432, GHSA-mf9v-mfxr-j63j", "an answer is unpacked whole that was asked in parts"
    ),
)
# Libraries for tokens that had such holes and that nothing here needs: `alg: none` accepted (CVE-2026-28802), keys
# confused (CVE-2024-33663).
UNWANTED = ("authlib", "python-jose")
FILES = sorted(file.name for file in PROJECT.glob("requirements*.txt"))


def pinned(file: str) -> dict[str, Version]:
    """The versions that a file of requirements pins."""
    found = re.findall(r"^([a-zA-Z0-9._-]+)(?:\[[^]]*\])?==([^ \\;]+)", (PROJECT / file).read_text(), re.MULTILINE)
    return {name.lower(): Version(version) for name, version in found}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: f"{floor.package}-{floor.version}")
def test_nothing_older_is_pinned_than_what_closed_a_hole(floor: Floor, file: str) -> None:
    version = pinned(file).get(floor.package)
    assert version is None or version >= Version(floor.version), f"{floor.advisory}: {floor.hole}"


@pytest.mark.parametrize("file", FILES)
def test_no_library_for_tokens_is_pinned_but_the_one_that_verifies_them(file: str) -> None:
    assert not pinned(file).keys() & set(UNWANTED)


def test_every_package_with_a_floor_is_one_that_is_used() -> None:
    used = set().union(*map(pinned, FILES))
    assert {floor.package for floor in FLOORS} <= used
    assert "pyjwt" in pinned("requirements-tokens.txt")


@pytest.mark.parametrize("file", FILES)
def test_every_requirement_is_pinned_with_its_hashes(file: str) -> None:
    text = (PROJECT / file).read_text()
    blocks = re.split(r"\n(?=[a-zA-Z0-9])", text.strip())
    assert blocks
    assert [block.splitlines()[0] for block in blocks if "==" not in block or "--hash=sha256:" not in block] == []
