"""What the tenant did: metrics with charts, and the audit trail."""

from playwright.sync_api import expect

from tests.browser.conftest import Console, Open


def test_the_metrics_are_drawn_and_follow_what_happens(open_console: Open) -> None:
    watching, working = open_console().sign_in("ann", "tenant:read"), open_console().sign_in("bob")
    watching.go("Metrics")
    completed = watching.page.locator(".tile", has_text="Completed").locator("dd")
    expect(completed).to_have_text("0")
    for number in (1, 2):
        working.submit_delay(0, 2)
        working.ended("Completed")
        expect(completed).to_have_text(str(number))
    heights = "all => all.map(one => one.getBoundingClientRect().height)"
    expect(watching.page.locator("rect.series.completed").first).to_be_visible()
    assert min(watching.page.locator("rect.series.completed").evaluate_all(heights)) > 5
    assert watching.page.locator("svg.chart").count() == 4
    watching.page.get_by_label("Action").select_option("echo_async")
    expect(completed).to_have_text("0")
    watching.page.get_by_label("Action").select_option("delay")
    expect(completed).to_have_text("2")
    watching.page.get_by_label("Period").select_option("1440")
    expect(completed).to_have_text("2")
    columns = watching.page.locator(".wide .column")
    expect(columns.nth(23)).to_be_attached()  # one for each hour now, not for each of fifteen minutes
    assert columns.count() in (24, 25)
    watching.page.get_by_text("Numbers").first.click()
    expect(watching.page.get_by_role("row").filter(has_text="2").first).to_be_visible()
    watching.shoot("metrics")


def test_the_audit_trail_is_filtered(console: Console) -> None:
    console.sign_in("ann", "tenant:read")
    request_id = console.submit_delay(0, 2)
    console.ended("Completed")
    console.submit_json("echo_async", "1", opens=True)
    console.ended("Completed")
    console.go("Audit")
    rows = console.page.locator("table.audit tbody tr")
    show = console.page.get_by_role("button", name="Show")
    # The view follows the log.
    while rows.filter(has_text="Request completed").count() < 2:
        show.click()
        expect(show).to_be_enabled()
    console.page.get_by_label("Filter").fill("completed delay")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(request_id[:8])
    console.shoot("audit")
    console.page.get_by_label("Filter").fill("no such thing")
    expect(console.page.get_by_text("No entry fits the filter")).to_be_visible()
    console.page.get_by_label("Filter").fill("")
    console.page.get_by_label("or request").fill(request_id)
    show.click()
    expect(rows.filter(has_text="Progress reported").first).to_be_visible()
    rows.last.get_by_role("link").click()
    expect(console.detail.locator(".id")).to_have_text(request_id)


def test_who_lacks_the_scope_is_told_so_and_sees_what_is_theirs(console: Console) -> None:
    console.sign_in("bob")
    request_id = console.submit_delay(0, 2)
    console.ended("Completed")
    console.go("Metrics")
    expect(console.page.get_by_text("lacks the scope tenant:read")).to_be_visible()
    expect(console.page.locator("svg.chart")).to_have_count(0)
    console.shoot("metrics-without-scope")
    console.go("Audit")
    expect(console.page.get_by_text("lacks the scope tenant:read")).to_be_visible()
    expect(console.page.get_by_label("Day (UTC)")).to_have_count(0)
    console.page.get_by_label("Request", exact=True).fill(request_id)
    console.page.get_by_role("button", name="Show").click()
    expect(console.page.get_by_role("cell", name="Request completed")).to_be_visible()
