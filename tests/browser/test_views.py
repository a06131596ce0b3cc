"""Views with a client that answers when the test says: what comes late, or after its user has gone elsewhere."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import expect

from tests.browser.alone import Alone

ASKED: Final = Path(__file__).with_name("asked.js").read_text()
ME: Final = {"tenant": "acme", "user": "ann", "seesTenant": True}


def prepared(alone: Alone) -> None:
    """Wait for what the page begins with, so that it comes over nothing, and make the client."""
    expect(alone.page.get_by_label("Token")).to_be_visible()
    alone.page.evaluate(ASKED)


def show(alone: Alone, view: str) -> None:
    """Show a view instead of what the page begins with."""
    prepared(alone)
    alone.page.evaluate(
        """async ([view, me]) => {
            const module = await import(`./${view}.js`);
            const session = { client, actions: [], me, go() {} };
            globalThis.view = module[`${view}View`](document.getElementById("main"), session, null);
        }""",
        [view, ME],
    )


def asked(alone: Alone, name: str, times: int = 1) -> Any:
    """What the client was asked by that name so far, once it was so often."""
    alone.page.wait_for_function(
        "([name, times]) => asked.filter(one => one.name === name).length >= times", arg=[name, times]
    )
    return alone.page.evaluate("name => asked.filter(one => one.name === name).map(({about}) => about)", name)


def answer(alone: Alone, name: str, number: int, script: str) -> None:
    """Have the client answer one of those questions: `script` says how, `one` is the question."""
    alone.page.evaluate(
        f"([name, number]) => (one => {script})(asked.filter(one => one.name === name)[number])", [name, number]
    )


WATCH: Final = "one.give({ close: () => client.close(one.name) })"


@pytest.mark.parametrize(("view", "watch"), [("requests", "watchUser"), ("metrics", "watchTenant")])
def test_a_watch_that_comes_after_its_view_has_gone_is_closed(alone: Alone, view: str, watch: str) -> None:
    show(alone, view)
    asked(alone, watch)
    alone.page.evaluate("view.stop()")
    answer(alone, watch, 0, WATCH)
    assert asked(alone, "close") == [[watch]]
    answer(alone, "close", 0, "one.fail(new Error('no line'))")
    alone.page.evaluate("new Promise(requestAnimationFrame)")  # an error that nobody caught is told by then


@pytest.mark.parametrize("end", ["give()", "fail(new Error('no line'))"])
def test_who_changes_the_scope_quickly_watches_the_last_one_alone(alone: Alone, end: str) -> None:
    show(alone, "requests")
    asked(alone, "watchUser")
    scope = alone.page.get_by_label("Whose requests")
    for chosen in ("tenant", "own", "tenant"):
        scope.select_option(chosen)
    answer(alone, "watchUser", 0, WATCH)
    assert asked(alone, "close") == [["watchUser"]]
    assert alone.page.evaluate("asked.filter(one => one.name === 'watchTenant').length") == 0
    answer(alone, "close", 0, f"one.{end}")
    assert len(asked(alone, "watchTenant")) == 1
    answer(alone, "watchTenant", 0, WATCH)
    asked(alone, "list")
    alone.page.evaluate("view.stop()")
    assert asked(alone, "close", 2) == [["watchUser"], ["watchTenant"]]


@pytest.mark.parametrize(
    "late", ["one.give([{ at: '2026-01-01T00:00:00Z', type: 'Late' }])", "one.fail(Error('late'))"]
)
def test_a_day_that_comes_late_is_not_shown_under_another(alone: Alone, late: str) -> None:
    show(alone, "audit")
    day = alone.page.get_by_label("Day (UTC)")
    for chosen in ("2026-01-01", "2026-01-02"):
        day.fill(chosen)
    assert [about[0]["day"] for about in asked(alone, "audit", 3)[1:]] == ["2026-01-01", "2026-01-02"]
    answer(alone, "audit", 2, "one.give([{ at: '2026-01-02T00:00:00Z', type: 'Asked' }])")
    expect(alone.page.locator("tbody tr")).to_have_text(re.compile("Asked"))
    answer(alone, "audit", 1, late)
    alone.page.evaluate("new Promise(requestAnimationFrame)")
    expect(alone.page.locator("tbody tr")).to_have_text(re.compile("Asked"))


def test_a_day_that_comes_when_none_is_asked_for_any_more_is_not_shown(alone: Alone) -> None:
    show(alone, "audit")
    asked(alone, "audit")
    button = alone.page.get_by_role("button", name="Show")
    expect(button).to_be_disabled()
    alone.page.get_by_label("Day (UTC)").fill("")
    expect(button).to_be_enabled()
    answer(alone, "audit", 0, "one.give([{ at: '2026-01-01T00:00:00Z', type: 'Late' }])")
    alone.page.evaluate("new Promise(requestAnimationFrame)")
    expect(alone.page.get_by_text("Choose a day or a request")).to_be_visible()


# A timeline, and how often it looks at an event that is there.
TIMELINE: Final = """async () => {
    const { timeline } = await import("./timeline.js");
    document.getElementById("main").replaceChildren(timeline(client, "r").element);
    globalThis.looked = 0;
    const { toggle } = DOMTokenList.prototype;
    DOMTokenList.prototype.toggle = function (...about) { looked++; return toggle.apply(this, about); };
    const { get } = Object.getOwnPropertyDescriptor(Element.prototype, "children");
    const children = function () { looked += get.call(this).length; return get.call(this); };
    Object.defineProperty(Element.prototype, "children", { get: children });
    globalThis.event = (version) => (
        { version, type: "ProgressReported", at: "2026-01-01T00:00:00Z", data: { percent: 1 } }
    );
    globalThis.update = (version, skipped = 0) => asked.find(({ name }) => name === "subscribe").about[1].onUpdate(
        { ...event(version), skipped, state: { status: "PROCESSING", submitted_at: event(version).at } }
    );
}"""
VERSIONS: Final = "all => all.map(one => Number(one.dataset.version))"


def test_a_long_timeline_does_not_look_at_all_its_events_for_each_new_one(alone: Alone) -> None:
    prepared(alone)
    alone.page.evaluate(TIMELINE)
    alone.page.evaluate("() => { for (let version = 1; version <= 500; version++) update(version) }")
    events = alone.page.locator(".events li")
    expect(events).to_have_count(500)
    alone.page.evaluate("update(1000, 499)")
    asked(alone, "history")
    answer(alone, "history", 0, "one.give(Array.from({ length: 500 }, (_, index) => event(501 + index)))")
    expect(events).to_have_count(1000)
    assert events.evaluate_all(VERSIONS) == list(range(1, 1001))
    assert alone.page.evaluate("looked") < 3000


def test_events_that_come_while_one_looks_back_are_shown_as_later(alone: Alone) -> None:
    prepared(alone)
    alone.page.evaluate(TIMELINE)
    alone.page.evaluate("() => { update(1); update(2); update(3); }")
    alone.page.get_by_role("button", name="Version 2").click()
    alone.page.evaluate("() => { update(4); update(7, 2); }")
    asked(alone, "history")
    answer(alone, "history", 0, "one.give([5, 6, 7].map(event))")
    later = alone.page.locator(".events .later")
    expect(later).to_have_count(5)
    assert later.evaluate_all(VERSIONS) == [3, 4, 5, 6, 7]
    expect(alone.page.locator(".events [aria-current=step]")).to_have_attribute("data-version", "2")
    alone.page.get_by_role("button", name="Back to now").click()
    expect(later).to_have_count(0)
    expect(alone.page.locator(".events [aria-current]")).to_have_count(0)
