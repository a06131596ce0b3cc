"""The pages say what is: pictures are drawn from the code, tables are what scripts print, links and commands exist."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from bench import cost, peers
from domain.diagram import diagram
from tests.template.drawing import parts
from tests.template.template import ROOT, TEMPLATE
from tests.template.test_alarms import ALARMS, watched
from tools.streamer import main

PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMES: Final = [str(page.relative_to(ROOT)) for page in PAGES]


def between(page: str, name: str) -> str:
    text = (ROOT / page).read_text()
    found = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", text, re.DOTALL)
    assert found, f"{page} has no <!-- {name} --> … <!-- /{name} -->"
    return found[1].strip()


def test_the_picture_of_the_parts_is_drawn_from_the_template() -> None:
    assert between("docs/architecture.md", "parts") == f"```mermaid\n{parts()}\n```"


def test_the_life_of_a_request_is_drawn_from_the_transition_table() -> None:
    assert between("docs/architecture.md", "transitions") == f"```mermaid\n{diagram()}\n```"


def test_the_tables_of_what_it_costs_are_what_the_script_prints() -> None:
    assert between("docs/cost.md", "cost") == cost.report(cost.Use(), cost.Speed(), cost.Prices())


def test_the_table_beside_other_systems_is_what_the_script_prints() -> None:
    assert between("docs/cost.md", "peers") == peers.report()


def test_the_script_knows_what_an_operation_consumes_and_how_many_figures_are_watched() -> None:
    assert cost.operations(cost.Month(cost.Use())).keys() <= cost.units().keys()
    assert sum(len(watched(alarm)) for alarm in ALARMS.values()) == cost.ALARM_FIGURES


def test_what_is_reckoned_grows_with_use() -> None:
    small, large = (
        sum(cost.costs(cost.Month(cost.Use(connections=size)), cost.Speed(), cost.Prices()).values())
        for size in (1_000, 2_000)
    )
    assert small < large < 2 * small
    month = cost.Month(cost.Use(connections=10, requests_a_day=1, progress=0, pushes=1))
    assert (month.requests, month.events) == (300, 900)
    assert month.frames == 2 * (300 + month.pings) + 300
    watched = cost.Month(cost.Use(connections=10, requests_a_day=1, progress=0, pushes=1, watchers=3))
    assert watched.frames == 2 * (300 + 600 + watched.pings) + 900
    assert cost.operations(watched)["subscribe to a request"] == 900


def test_what_is_traced_and_what_the_sweeper_reads_is_in_what_it_costs() -> None:
    assert TEMPLATE["Globals"]["Function"]["Tracing"] == "Active"
    quiet, busy = (cost.Month(cost.Use(connections=size)) for size in (100, 1_000_000_000))
    assert cost.traces(quiet) == pytest.approx(sum(cost.invocations(quiet).values())), "less than one in a second: all"
    assert cost.traces(busy) == pytest.approx(0.05 * sum(cost.invocations(busy).values()), rel=0.01)
    quiet_use = cost.Use(connections=20_000, requests_a_day=0, reconnect_s=cost.SECONDS, ping_s=cost.SECONDS)
    few, many = (
        cost.costs(cost.Month(replace(quiet_use, connections=size)), cost.Speed(), cost.Prices())["tables, read"]
        for size in (20_000, 1_000_000)
    )
    assert 5 < few < 6, "8.8 MB, half a unit for each 4 KB, each minute of a month"
    assert 6.5 < many < 7.5, "10 MB, and the next ones in the next minute"


@pytest.mark.parametrize("page", NAMES)
def test_every_link_leads_somewhere(page: str) -> None:
    here = ROOT / page
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", here.read_text(), flags=re.DOTALL)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (here.parent / path).resolve() if path else here
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", ["README.md", "docs/runbook.md", "docs/security.md", "docs/architecture.md"])
def test_every_command_that_a_page_names_is_there(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / page).read_text()
    with pytest.raises(SystemExit):
        main(["--help"])
    known = capsys.readouterr().out
    named = set(re.findall(r"`(?:\.venv/bin/)?streamer ([a-z]+)", text))
    assert named
    for command in named:
        assert re.search(rf"^    {command}\b", known, re.MULTILINE), command
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"`make ([a-z-]+)", text):
        assert target in targets, target
