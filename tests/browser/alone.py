"""The console without a stack: its files as they are served, and a server in a few lines that a test decides about."""

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.sync_api import Page, Route, WebSocketRoute

CLAIMS: Final = {"tenant_id": "acme", "sub": "ann", "scope": "tenant:read", "exp": 4_102_444_800}
ECHO: Final = {"name": "echo", "mode": "sync", "description": "Answers", "input_schema": {"title": "Anything"}}
AT: Final = "2026-01-01T00:00:00.000Z"


def token() -> str:
    """What the console takes for a token; only a server would verify it."""
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, CLAIMS, {}))


@dataclass
class Alone:
    """A tab, and what its server answers: `status` to who asks for a ticket, `replies` to each type of frame."""

    page: Page
    url: str
    status: int | None = None  # there is no server
    actions: list[dict[str, Any]] = field(default_factory=lambda: [ECHO])
    faults: list[str] = field(default_factory=list)

    def ticket(self, route: Route) -> None:
        """Give a ticket, or a refusal, or nothing at all."""
        if self.status is None:
            route.abort()
        else:
            route.fulfill(status=self.status, json={"ticket": "t"})

    def socket(self, line: WebSocketRoute) -> None:
        """Answer frames."""
        line.on_message(lambda text: line.send(json.dumps(self.reply(json.loads(text)))))

    def reply(self, frame: dict[str, Any]) -> dict[str, Any]:
        """The answer to a frame of a tenant of which nothing is known."""
        replies: dict[str, dict[str, Any]] = {
            "actions": {"type": "actions", "items": self.actions},
            "list": {"type": "requests", "items": []},
            "subscribe": {"type": "subscribed", "requests": [], "at": AT},
            "unsubscribe": {"type": "unsubscribed"},
            "ping": {"type": "pong", "at": AT},
        }
        return {**replies[frame["type"]], "id": frame["id"]}

    def sign_in(self) -> None:
        """Paste a token."""
        self.page.get_by_label("Token").fill(token())
        self.page.get_by_role("button", name="Sign in").click()

    def kept(self) -> bool:
        """Whether the tab has a token."""
        return bool(self.page.evaluate("sessionStorage.length > 0"))
