"""Requests in the console: submitted by a form, watched live, cancelled, looked back at."""

import re

import pytest
from playwright.sync_api import expect

from domain import exact_json
from tests.browser.conftest import Console, Open


def test_a_request_is_submitted_by_the_form_and_its_bar_runs_full(console: Console) -> None:
    console.sign_in()
    request_id = console.submit_delay(2, 8)
    bar = console.detail.get_by_role("progressbar", name="Progress", exact=True)
    console.page.wait_for_function(
        "() => { const v = document.querySelector('.detail progress').value; return v > 0 && v < 100 }"
    )
    console.shoot("running")
    console.ended("Completed")
    expect(bar).to_have_attribute("data-status", "COMPLETED")
    assert bar.evaluate("bar => bar.value") == 100
    assert console.row(request_id).locator("progress").evaluate("bar => bar.value") == 100
    expect(console.detail.locator(".outcome pre")).to_contain_text('"waited_s": 2')
    console.shoot("completed")


def test_the_timeline_has_every_event_also_those_whose_progress_was_conflated(console: Console) -> None:
    console.sign_in()
    console.submit_delay(2, 40)
    console.ended("Completed")
    expect(console.events.last).to_have_attribute("data-type", "RequestCompleted")
    last = int(console.events.last.get_attribute("data-version") or 0)
    expect(console.events).to_have_count(last)
    assert console.versions() == list(range(1, last + 1))
    console.events.first.locator("summary").click()
    expect(console.events.first.locator("pre")).to_contain_text('"steps": 40')


def test_the_slider_shows_the_state_at_each_version(console: Console) -> None:
    console.sign_in()
    console.submit_delay(1, 4)
    console.ended("Completed")
    slider = console.page.get_by_role("slider", name="State at")
    past = console.page.locator(".past")
    expect(past).to_be_hidden()
    slider.press("Home")
    expect(past).to_have_attribute("data-version", "1")
    expect(past).to_contain_text("Pending")
    assert console.page.locator(".events .later").count() == console.events.count() - 1
    slider.press("ArrowRight")
    expect(past).to_have_attribute("data-version", "2")
    expect(past).to_contain_text("Processing")
    console.shoot("time-travel")
    console.page.get_by_role("button", name="Version 3").click()
    expect(past).to_have_attribute("data-version", "3")
    console.page.get_by_role("button", name="Back to now").click()
    expect(past).to_be_hidden()
    expect(console.page.locator(".events .later")).to_have_count(0)


def test_why_a_request_is_where_it_is_is_told_when_asked(console: Console) -> None:
    console.sign_in()
    request_id = console.submit_delay(1, 4)
    console.ended("Completed")
    why = console.page.locator(".why")
    expect(why.locator("p")).to_have_count(0)
    why.locator("summary").click()
    expect(why).to_contain_text("It ended as COMPLETED at")
    expect(why).to_contain_text("Attempt 1")
    expect(why).to_contain_text(f"on request#{request_id}")
    expect(why).to_contain_text("No push since is known not to have been taken.")
    console.shoot("explained")
    why.get_by_role("button", name="Ask again").click()
    expect(why).to_contain_text("It ended as COMPLETED at")


def test_a_running_request_is_cancelled(console: Console) -> None:
    console.sign_in()
    request_id = console.submit_delay(60, 120)
    expect(console.detail.locator(".badge").first).to_have_text("Processing")
    console.row(request_id).get_by_role("button", name=re.compile("Cancel")).click()
    console.ended("Cancelled")
    expect(console.detail.locator(".outcome")).to_contain_text("Cancelled by ann")
    expect(console.detail.get_by_role("button", name=re.compile("Cancel"))).to_be_hidden()
    console.shoot("cancelled")


def test_a_request_that_fails_tells_why(console: Console) -> None:
    console.sign_in()
    form = console.choose("delay")
    form.get_by_text("Options").click()
    form.get_by_label("Attempts at most").fill("1")
    console.submit_delay(0, 2, Fail_attempts=1)
    console.ended("Failed")
    expect(console.detail.get_by_role("alert")).to_contain_text("Told to fail in attempt 1")
    console.shoot("failed")


def test_a_synchronous_action_answers_in_the_form(console: Console) -> None:
    console.sign_in()
    console.submit_json("echo", '{"n": 1180591620717411303424}')
    expect(console.page.locator(".submit .outcome pre")).to_contain_text('"n": 1180591620717411303424')


def test_what_does_not_fit_is_told_at_its_field(console: Console) -> None:
    console.sign_in()
    form = console.choose("delay")
    form.get_by_label("Steps").fill("0")
    form.get_by_role("button", name="Submit").click()
    expect(form.get_by_role("alert")).to_contain_text("Steps")
    expect(form.get_by_label("Steps")).to_be_focused()
    console.submit_json("delay", '{"steps": 5000}')
    expect(form.get_by_role("alert")).to_contain_text("payload.steps")
    form.get_by_role("textbox", name="Payload as JSON").fill("{")
    form.get_by_role("button", name="Submit").click()
    expect(form.get_by_role("alert")).to_contain_text("not JSON")
    console.shoot("refused")


def test_a_form_with_lists_and_choices_makes_the_payload_that_the_action_takes(console: Console) -> None:
    console.sign_in()
    form = console.choose("process_data")
    form.get_by_label("Csv").fill("region,amount\nnorth,2\nsouth,3\nnorth,5\n")
    form.get_by_role("button", name="Add operation").click()
    form.get_by_label("Op", exact=True).select_option(label="Aggregate")
    form.get_by_role("button", name="Add by").click()
    form.get_by_label("By 1", exact=True).fill("region")
    form.get_by_label("Function").select_option("sum")
    form.get_by_label("Column").fill("amount")
    form.get_by_label("Output").select_option(label="json")
    console.shoot("form")
    form.get_by_role("button", name="Submit").click()
    console.ended("Completed")
    expect(console.detail.locator(".outcome pre")).to_contain_text("north")
    expect(console.detail.locator(".outcome pre")).to_contain_text("7")


def test_every_action_has_a_form_whose_fields_are_labelled(console: Console) -> None:
    console.sign_in("ann", "tenant:read")
    form = console.page.get_by_role("form", name="New request")
    actions = form.get_by_label("Action").locator("option").all_text_contents()
    assert {"delay", "echo", "generate_report", "process_data"} <= set(actions)
    for action in actions:
        console.choose(action)
        nameless = form.locator("input, select, textarea").evaluate_all(
            "all => all.filter(one => !one.labels?.length && !one.ariaLabel).map(one => one.outerHTML)"
        )
        assert nameless == [], action


def test_who_may_sees_the_whole_tenant_live(open_console: Open) -> None:
    ann, bob = open_console().sign_in("ann", "tenant:read"), open_console().sign_in("bob")
    ann.page.get_by_label("Whose requests").select_option("tenant")
    expect(bob.page.get_by_label("Whose requests")).to_have_count(0)
    request_id = bob.submit_delay(1, 4)
    row = ann.row(request_id)
    expect(row.locator(".badge")).to_have_text("Completed")
    expect(row).to_contain_text("bob")
    ann.page.get_by_label("Whose requests").select_option("own")
    expect(row).to_have_count(0)
    assert ann.page.locator(".request").count() == 0
    expect(ann.page.get_by_text("No requests yet")).to_be_visible()


def test_another_users_request_is_not_there(open_console: Open) -> None:
    ann = open_console().sign_in("ann")
    assert ann.stack.console_url is not None
    ann.page.goto(f"{ann.stack.console_url}#/requests/0190a0b0-0000-7000-8000-000000000000")
    expect(ann.page.get_by_text("There is no such request")).to_be_visible()


@pytest.mark.parametrize("cuts", [1, 3])
def test_a_cut_socket_is_resumed_and_nothing_is_missed_or_repeated(console: Console, cuts: int) -> None:
    console.sign_in()
    request_id = console.submit_delay(6, 24)
    pill = console.page.locator("#connection")
    for number in range(1, cuts + 1):
        expect(console.events.nth(3 * number)).to_be_attached()
        console.cut()
        expect(pill).to_have_attribute("data-resumes", str(number))
        expect(pill).to_contain_text(f"Connected · resumed {number}")
    console.shoot(f"resumed-{cuts}")
    console.ended("Completed")
    expect(console.events.last).to_have_attribute("data-type", "RequestCompleted")
    last = int(console.events.last.get_attribute("data-version") or 0)
    expect(console.events).to_have_count(last)
    assert console.versions() == list(range(1, last + 1))
    expect(console.row(request_id).locator(".badge")).to_have_text("Completed")


def test_a_result_too_large_for_a_frame_is_fetched_by_its_link(console: Console) -> None:
    console.sign_in()
    console.submit_json("echo_async", exact_json.encode({"rows": ["a row of the large result"] * 1000}), opens=True)
    console.ended("Completed")
    expect(console.detail.locator(".outcome pre")).to_contain_text("a row of the large result")
