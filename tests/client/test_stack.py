"""The stack to talk to: the account and Region that the environment names."""

from pathlib import Path

import pytest

from client.stack import FILE, StackNotFound, deployed_stack, local_stack, user_session

CONFIG = "[default]\nregion = eu-west-3\n[profile mine]\nregion = eu-west-2\n"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user with a configuration of his own, and nothing of it in the environment."""
    (tmp_path / "config").write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({}, "eu-west-3"),
        ({"AWS_PROFILE": "mine"}, "eu-west-2"),
        ({"AWS_REGION": "eu-west-1", "AWS_PROFILE": "mine"}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": ""}, "eu-west-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-north-1"}, "eu-north-1"),
    ],
)
def test_a_stack_is_looked_for_in_the_region_that_sam_deploys_to_or_that_of_the_other_tools(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], region: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert user_session().region_name == region


def test_a_profile_that_there_is_not_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nope")
    with pytest.raises(StackNotFound, match="nope"):
        deployed_stack("streamer-dev")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"ws_url": null}',
        '{"ws_url": "ws://x", "tables": []}',
        '{"ws_url": "ws://x", "endpoint_url": 1}',
    ],
)
def test_a_file_that_describes_no_stack_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / FILE
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(StackNotFound, match="the file does not describe a stack"):
        local_stack(tmp_path)


def test_what_a_later_release_describes_besides_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.parent.mkdir()
    file.write_text('{"ws_url": "ws://x", "tables": {"Events": "e"}, "later": {}}')
    (tmp_path / "below").mkdir()
    found = local_stack(tmp_path / "below")
    assert (found.ws_url, found.tables, found.token_key) == ("ws://x", {"Events": "e"}, None)
