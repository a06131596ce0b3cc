"""The page itself: signing in, hostile text, dark and light, a phone, the keyboard alone."""

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from client.tokens import make_token
from domain import exact_json
from domain.instant import EPOCH
from tests.browser.conftest import Console, Open

HOSTILE: Final = (
    '<script>window.hurt = 1</script>"><img src=x onerror="window.hurt = 2"><svg onload="window.hurt = 3">'
    "<a href=\"javascript:window.hurt = 4\">x</a>{{constructor.constructor('window.hurt = 5')()}}"
)
# The texts whose contrast with their ground is below what WCAG 2.2 asks of small text.
PALE: Final = Path(__file__).with_name("pale.js").read_text()
SHOWN: Final = {"Requests": ".request", "Metrics": "rect.series", "Audit": "table.audit"}


def test_what_is_no_good_token_is_told(console: Console) -> None:
    console.open()
    expired = make_token(console.stack, tenant=console.tenant, user="ann", now=EPOCH)
    forged = console.token()[:-6] + "AAAAAA"
    for token, told in (("abc", "not a token"), (expired, "ended"), (forged, "does not accept the token")):
        console.page.get_by_label("Token").fill(token)
        console.page.get_by_role("button", name="Sign in").click()
        expect(console.page.get_by_role("alert")).to_contain_text(told)
    console.shoot("sign-in-refused")
    assert [fault for fault in console.faults if "401" not in fault] == []
    console.faults.clear()


def test_a_reload_stays_signed_in_and_signing_out_forgets_the_token(console: Console) -> None:
    console.sign_in()
    console.page.reload()
    expect(console.page.locator("#connection")).to_have_text("Connected")
    console.page.get_by_role("button", name="Sign out").click()
    expect(console.page.get_by_label("Token")).to_be_visible()
    assert console.page.evaluate("sessionStorage.length + localStorage.length") == 0
    console.page.reload()
    expect(console.page.get_by_label("Token")).to_be_visible()


def test_hostile_text_is_only_text(console: Console) -> None:
    console.sign_in("ann", "tenant:read")
    payload = exact_json.encode(
        {HOSTILE: HOSTILE, "link": f"javascript:{HOSTILE}", "page": {"link": "data:text/html,x"}}
    )
    console.submit_json("echo_async", payload, opens=True)
    console.ended("Completed")
    expect(console.detail.locator(".outcome pre")).to_contain_text("<script>window.hurt = 1</script>")
    for summary in console.events.locator("summary").all():
        summary.click()
    console.shoot("hostile")
    console.row(console.page.url.rpartition("/")[2]).click()
    assert console.page.locator(".links").count() == 0
    console.submit_json("echo", payload)
    expect(console.page.locator(".submit .outcome pre")).to_contain_text("onerror")
    console.choose("delay").get_by_text("Options").click()
    console.page.get_by_label("Idempotency key").fill(HOSTILE[:120])
    console.submit_delay(0, 1)
    console.ended("Completed")
    console.go("Audit")
    console.page.get_by_label("Filter").fill(HOSTILE)
    assert console.page.evaluate("window.hurt") is None
    assert console.page.locator("main img, main script, main svg:not(.chart)").count() == 0


def test_no_script_but_the_consoles_own_may_run(console: Console) -> None:
    console.sign_in()
    assert console.page.evaluate(
        """() => new Promise(done => {
            document.addEventListener("securitypolicyviolation", event => done(event.violatedDirective));
            const script = document.createElement("script");
            try { script.text = "window.hurt = 1" } catch (error) { done(error.name) }
            document.body.append(script);
        })"""
    ) in ("TypeError", "script-src-elem", "require-trusted-types-for")
    assert console.page.evaluate("window.hurt") is None
    console.faults.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_in_light_and_in_dark(open_console: Open, scheme: str) -> None:
    console = open_console(color_scheme=scheme).sign_in("ann", "tenant:read")
    console.submit_delay(0, 3)
    console.ended("Completed")
    for view in SHOWN:
        console.go(view)
        expect(console.page.locator(SHOWN[view]).first).to_be_visible()
        pale = console.page.evaluate(PALE)
        assert pale == [], view
        console.shoot(f"{view.lower()}-{scheme}")
    ground = console.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (int(ground.removeprefix("rgb(").split(",")[0]) > 128) == (scheme == "light")


def test_text_that_is_too_pale_is_found(console: Console) -> None:
    console.sign_in()
    console.page.evaluate("document.documentElement.style.setProperty('--faint', '#c8c8c8')")
    assert console.page.evaluate(PALE)


def test_it_works_on_a_phone(open_console: Open) -> None:
    console = open_console()
    console.page.set_viewport_size({"width": 360, "height": 740})
    console.sign_in("ann", "tenant:read")
    console.submit_delay(1, 4)
    console.ended("Completed")
    expect(console.page.get_by_role("form", name="New request")).to_be_hidden()
    console.shoot("request-phone")
    widths = [console.page.evaluate("document.documentElement.scrollWidth")]
    console.page.get_by_role("link", name="All requests").click()
    expect(console.page.get_by_role("form", name="New request")).to_be_visible()
    for action in ("process_data", "generate_report"):
        console.choose(action)
        widths.append(console.page.evaluate("document.documentElement.scrollWidth"))
    for view in SHOWN:
        console.go(view)
        expect(console.page.locator(SHOWN[view]).first).to_be_visible()
        widths.append(console.page.evaluate("document.documentElement.scrollWidth"))
        console.shoot(f"{view.lower()}-phone")
    assert max(widths) <= 360


def test_the_keyboard_is_enough(console: Console) -> None:
    console.open()
    keyboard = console.page.keyboard
    expect(console.page.get_by_label("Token")).to_be_focused()
    keyboard.insert_text(console.token("ann", "tenant:read"))
    keyboard.press("Tab")
    keyboard.press("Enter")
    form = console.page.get_by_role("form", name="New request")
    expect(form).to_be_visible()
    reach(console, "#nav a")
    reach(console, ".submit select")
    keyboard.type("delay")
    reach(console, "[data-field=seconds]")
    keyboard.press("Control+a")
    keyboard.type("1")
    keyboard.press("Enter")
    console.ended("Completed")
    reach(console, ".request a")
    reach(console, ".travel input")
    keyboard.press("Home")
    expect(console.page.locator(".past")).to_have_attribute("data-version", "1")
    reach(console, ".events summary")
    keyboard.press("Enter")
    expect(console.events.first.locator("pre")).to_be_visible()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert console.page.evaluate(outline) == "solid", "one sees where one is"


def reach(console: Console, selector: str) -> None:
    """Press Tab until the focus is there: forwards only, so the order is that of the page."""
    for _ in range(60):
        if console.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        console.page.keyboard.press("Tab")
    pytest.fail(f"Tab never gets to {selector}")
