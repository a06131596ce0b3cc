"""Coming in: what the console makes of a token, an address and the actions, whatever its server does."""

import json

import pytest
from playwright.sync_api import expect

from tests.browser.alone import ECHO, Alone


def test_a_server_that_does_not_answer_costs_nobody_their_token(alone: Alone) -> None:
    alone.sign_in()
    page = alone.page
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    assert alone.kept()
    page.reload()
    expect(page.get_by_role("heading", name="Not connected")).to_be_visible()
    alone.status = 200
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#connection")).to_have_text("Connected")
    assert alone.kept()


def test_a_token_that_is_refused_is_forgotten(alone: Alone) -> None:
    alone.status = 200
    alone.sign_in()
    expect(alone.page.locator("#connection")).to_have_text("Connected")
    alone.status = 401
    alone.page.reload()
    expect(alone.page.get_by_role("alert")).to_contain_text("does not accept the token")
    assert not alone.kept()


def test_another_token_can_be_used_when_the_server_does_not_answer(alone: Alone) -> None:
    alone.sign_in()
    alone.page.get_by_role("button", name="Use another token").click()
    expect(alone.page.get_by_label("Token")).to_be_empty()
    assert not alone.kept()


@pytest.mark.parametrize("address", ["#/requests/%E0%A4%A", "#/constructor", "#/nothing"])
def test_an_address_that_names_nothing_leads_to_the_requests(alone: Alone, address: str) -> None:
    alone.status = 200
    alone.page.goto(alone.url + address)
    alone.sign_in()
    expect(alone.page.get_by_role("form", name="New request")).to_be_visible()
    expect(alone.page.get_by_text("No request is open")).to_be_visible()
    alone.page.evaluate("address => { location.hash = address }", address)
    alone.page.wait_for_url("**/#/requests")


def test_who_may_submit_nothing_sees_the_requests_all_the_same(alone: Alone) -> None:
    alone.status, alone.actions = 200, []
    alone.sign_in()
    expect(alone.page.get_by_text("There is no action that you may submit")).to_be_visible()
    expect(alone.page.get_by_text("No requests yet")).to_be_visible()


def test_an_input_that_has_itself_in_it_is_a_form_with_json_in_it(alone: Alone) -> None:
    node = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 10},
            "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}], "default": None},
            "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        },
        "required": ["name"],
    }
    alone.status = 200
    alone.actions = [{**ECHO, "input_schema": {"$ref": "#/$defs/Node", "$defs": {"Node": node}}}]
    alone.sign_in()
    form = alone.page.get_by_role("form", name="New request")
    form.get_by_label("Name").fill("a")
    form.get_by_label("Next").fill('{"name": "b"}')
    for _ in range(2):  # the second one in the first
        form.get_by_role("button", name="Add children").first.click()
    form.get_by_label("Name").last.fill("d")
    form.get_by_label("Name").nth(1).fill("c")
    form.get_by_label("Edit the payload as JSON").check()
    payload = json.loads(form.get_by_role("textbox", name="Payload as JSON").input_value())
    assert payload == {"name": "a", "next": {"name": "b"}, "children": [{"name": "c", "children": [{"name": "d"}]}]}
