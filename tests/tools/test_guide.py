"""docs/projections.md is true: its projection, its tests and its rebuild are run as they are printed there."""

import io
import re
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from rich.console import Console

from projections import catalog
from tests.kit.stories import completed, waiting
from tests.kit.world import World
from tools import rebuild
from tools.operated import Operated
from tools.rebuild import Asked

GUIDE = Path(__file__).parents[2] / "docs" / "projections.md"
QUIET = Console(file=io.StringIO())


@pytest.fixture
def code() -> list[str]:
    """The pieces of Python on the page."""
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)


@pytest.fixture
def hours(code: list[str]) -> Any:
    """The module that the page tells to write."""
    module = ModuleType("projections.hours")
    exec(code[0], vars(module))  # noqa: S102 - the page's own code is what is tested
    return module


def test_the_page_has_the_projection_and_its_tests(code: list[str], hours: Any) -> None:
    _, tests = code
    with patch.dict(catalog.COUNTS, {"hours": hours.project}):
        exec(tests, {"timedelta": timedelta})  # noqa: S102 - likewise


def test_a_projection_that_is_new_gets_its_past_by_a_rebuild_and_then_follows(
    world: World, stack: Operated, tmp_path: Path, hours: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "PAUSE", timedelta(0))
    completed(world.requests)
    world.project(world.records())

    def made_anew(**asked: Any) -> rebuild.Report:
        wanted = Asked("hours", until=world.clock.now() + timedelta(hours=2), **asked)
        return rebuild.rebuild(stack, wanted, tmp_path, world.clock, QUIET)

    with patch.dict(catalog.COUNTS, {"hours": hours.project}):
        waiting(world.requests)
        world.project(world.records())
        [missing] = made_anew().differences
        assert missing.key == ("=hours#acme#report", "2026-11-22T08")
        assert missing.what == "completed 0, not 1, outputs 0, not 2, started 0, not 1, submitted 1, not 2"

        made_anew(switch=True)
        assert made_anew().differences == []

        world.requests.cancel(waiting(world.requests))
        world.project(world.records() * 2)
        assert made_anew().differences == []
        kept = [row["expires_at"] for row in world.aws.rows("Metrics") if row["scope"]["S"].startswith("=hours")]
        assert len(kept) == 1
