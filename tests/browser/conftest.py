"""The console in a real browser, against the whole stack on this machine; each test signs in to a tenant of its own."""

import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from client.errors import ClientError
from client.sync import StreamerClient
from client.tokens import make_token
from local import console as served
from local.aws import session
from local.deploy import PROJECT
from local.emulator import free_port
from local.stack import Stack, running
from local.waiting import until
from tests.browser.alone import Alone

SHOTS: Final = PROJECT / ".local" / "screenshots"
# A browser that talks to nobody but this machine, with an empty profile.
ARGUMENTS: Final = [
    *("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-quic", "--no-first-run"),
]
PATIENCE_MS: Final = 90_000  # only ever used up by what fails
WARM_UP_SECONDS: Final = 300.0
NUMBERS: Final = itertools.count(1)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, whose functions have all started: on a busy machine a first start takes its time."""
    with running(tmp_path_factory.mktemp("stack")) as started:
        assert until(lambda: _works(started), seconds=WARM_UP_SECONDS)
        yield started


def _works(stack: Stack) -> bool:
    token = make_token(stack, tenant="warm-up", user="ann", now=datetime.now(UTC))
    try:
        with StreamerClient(stack.ws_url, token=token) as client:
            client.call("delay", {"seconds": 0})
    except ClientError:
        return False
    return True


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    expect.set_options(timeout=PATIENCE_MS)
    chromium = shutil.which("chromium")
    assert chromium, "chromium is not installed; make test-browser does it"
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@dataclass
class Console:
    """A tab with the console, and what a user does with it."""

    page: Page
    stack: Stack
    tenant: str
    faults: list[str] = field(default_factory=list)

    def hear(self, told: ConsoleMessage) -> None:
        """Remember what the page complains of."""
        if told.type in ("error", "warning"):
            self.faults.append(told.text)

    def open(self) -> None:
        """Go to the console."""
        assert self.stack.console_url is not None
        self.page.goto(self.stack.console_url)

    def token(self, user: str = "ann", *scopes: str) -> str:
        """A token of the test's tenant."""
        return make_token(self.stack, tenant=self.tenant, user=user, scopes=scopes, now=datetime.now(UTC))

    def sign_in(self, user: str = "ann", *scopes: str) -> "Console":
        """Paste a token."""
        self.open()
        self.page.get_by_label("Token").fill(self.token(user, *scopes))
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("form", name="New request")).to_be_visible()
        return self

    def go(self, view: str) -> None:
        """Follow a link of the navigation."""
        self.page.get_by_role("navigation").get_by_role("link", name=view).click()

    def choose(self, action: str) -> Locator:
        """Choose an action; the form."""
        form = self.page.get_by_role("form", name="New request")
        form.get_by_label("Action").select_option(action)
        return form

    def submit_delay(self, seconds: float, steps: int, **more: int) -> str:
        """Submit by the form; the request's id, of which the timeline is then open."""
        form = self.choose("delay")
        for name, value in {"Seconds": seconds, "Steps": steps, **more}.items():
            form.get_by_label(name.replace("_", " "), exact=True).fill(str(value))
        before = self.page.url
        form.get_by_role("button", name="Submit").click()
        self.page.wait_for_function("before => location.href !== before", arg=before)
        expect(self.detail.get_by_role("heading", name="delay")).to_be_visible()
        return str(self.page.url.rpartition("/")[2])

    def submit_json(self, action: str, payload: str, *, opens: bool = False) -> None:
        """Submit a payload as JSON; an asynchronous action's request opens."""
        form = self.choose(action)
        form.get_by_label("Edit the payload as JSON").check()
        form.get_by_role("textbox", name="Payload as JSON").fill(payload)
        before = self.page.url
        form.get_by_role("button", name="Submit").click()
        if opens:
            self.page.wait_for_function("before => location.href !== before", arg=before)
            expect(self.detail.get_by_role("heading", name=action)).to_be_visible()

    @property
    def detail(self) -> Locator:
        """The request that is open."""
        return self.page.get_by_role("region", name="Request", exact=True)

    @property
    def events(self) -> Locator:
        """The events of the request that is open."""
        return self.page.get_by_role("region", name="Timeline").locator("li")

    def row(self, request_id: str) -> Locator:
        """A request in the list."""
        return self.page.locator(f"[data-request-id='{request_id}']")

    def versions(self) -> list[int]:
        """The versions that the timeline shows, from top to bottom."""
        return [int(version) for version in self.events.evaluate_all("all => all.map(one => one.dataset.version)")]

    def ended(self, status: str) -> None:
        """Wait until the open request has ended."""
        expect(self.detail.locator(".badge").first).to_have_text(status)

    def shoot(self, name: str) -> None:
        """Keep a picture."""
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)

    def cut(self) -> None:
        """Have the platform close this tenant's sockets, as it does after two hours or when a server goes."""
        dynamodb = session().client("dynamodb", endpoint_url=self.stack.endpoint_url)
        rows = dynamodb.query(
            TableName=self.stack.tables["Connections"],
            IndexName="TenantIndex",
            KeyConditionExpression="tenant_id = :tenant",
            ExpressionAttributeValues={":tenant": {"S": self.tenant}},
        )["Items"]
        assert rows
        api = session().client("apigatewaymanagementapi", endpoint_url=self.stack.ws_url.replace("ws", "http", 1))
        for row in rows:
            api.delete_connection(ConnectionId=row["connection_id"]["S"])


Open = Callable[..., Console]


@pytest.fixture
def open_console(browser: Browser, stack: Stack, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens tabs, each with a profile of its own; a fault that the page tells of fails the test."""
    tenant = f"tenant-{next(NUMBERS)}"
    opened: list[Console] = []

    def open_tab(**options: Any) -> Console:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        context.set_default_timeout(PATIENCE_MS)
        made = Console(context.new_page(), stack, tenant)
        made.page.on("pageerror", lambda error: made.faults.append(str(error)))
        made.page.on("console", made.hear)
        made.page.on("dialog", lambda dialog: made.faults.append(f"dialog: {dialog.message}"))
        opened.append(made)
        return made

    yield open_tab
    name = re.sub(r"\W+", "-", request.node.name)
    for number, made in enumerate(opened):
        made.page.screenshot(path=SHOTS / f"{name}-{number}.png")
        made.page.context.close()
    assert [fault for made in opened for fault in made.faults] == []


@pytest.fixture
def console(open_console: Open) -> Console:
    """A tab."""
    return open_console()


@pytest.fixture
def alone(browser: Browser, tmp_path: Path) -> Iterator[Alone]:
    """A tab with the console and no stack; an error that nobody caught fails the test."""
    port = free_port()
    origin = f"127.0.0.1:{port}"
    description = tmp_path / "stack.json"
    description.write_text(json.dumps({"ws_url": f"ws://{origin}/socket", "ticket_url": f"http://{origin}/ticket"}))
    served.serve(port, description)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    made = Alone(context.new_page(), f"http://{origin}/")
    made.page.on("pageerror", lambda error: made.faults.append(str(error)))
    made.page.route("**/ticket", made.ticket)
    made.page.route_web_socket("**/socket*", made.socket)
    made.page.goto(made.url)
    yield made
    context.close()
    assert made.faults == []
