"""What each command of `streamer` does with a connected client."""

import argparse
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from rich.console import Console, RenderableType
from rich.text import Text

from client import show
from client.bars import Bars
from client.errors import RequestRejected
from client.handle import Handle
from client.streamer import StreamerClient
from client.updates import Update
from domain import exact_json
from domain.instant import to_text

LAST_HOUR: Final = timedelta(hours=1)


class Session:
    """One command: its client, its arguments, and where its output goes."""

    def __init__(self, client: StreamerClient, arguments: argparse.Namespace, console: Console) -> None:
        self.client = client
        self.asked = arguments
        self.console = console

    def tell(self, thing: Any, shown: RenderableType) -> None:
        """Print a thing: as JSON for machines, as shown for people."""
        if self.asked.json:
            self.console.print(show.text(exact_json.encode(thing)), soft_wrap=True)
        else:
            self.console.print(shown)

    async def submit(self) -> None:
        """Ask for work; with --watch, or when it is done at once, print its result."""
        asked = self.asked
        handle = await self.client.submit(
            asked.action,
            asked.payload,
            idempotency_key=asked.key,
            priority=asked.priority,
            delay_s=asked.delay_s,
            timeout_s=asked.timeout_s,
            max_attempts=asked.max_attempts,
        )
        if asked.watch or not handle.request_id:
            await self._follow(handle, asked.action)
        else:
            self.tell({"request_id": handle.request_id}, show.text(handle.request_id))

    async def submit_many(self) -> None:
        """Ask for much work and print a line for each: its request's id, or why there is none."""
        handles = await self.client.submit_many(self.asked.file)
        for handle in handles:
            if handle.error is None:
                self.tell({"request_id": handle.request_id}, show.text(handle.request_id))
            elif (refusal := handle.refusal) is not None:
                self.tell({"code": refusal.code, "message": refusal.told}, show.text(f"{refusal.code}: {refusal.told}"))
            else:
                kind = type(handle.error).__name__
                self.tell({"error": kind, "message": str(handle.error)}, show.text(f"no answer: {kind}"))
        errors = [handle.error for handle in handles if handle.error is not None]
        if errors:  # what was not answered says more than what was refused before it
            raise errors[0] if isinstance(errors[-1], RequestRejected) else errors[-1]

    async def watch(self) -> None:
        """Follow a request and print its result."""
        handle = await self.client.subscribe(self.asked.request)
        await self._follow(handle, str((handle.state or {}).get("action", "request")))

    async def get(self) -> None:
        """Print a request."""
        at = self.asked.at
        then = {"at": at} if isinstance(at, datetime) else {"at_version": at}
        found = await self.client.get(self.asked.request, **then)
        self.tell(found.shown(), show.request(found.request_id, found.version, found.state))
        if found.result is not None and not self.asked.json:
            self.console.print(Text("result", style="bold"))
            show.result(self.console, found.result)

    async def explain(self) -> None:
        """Print why a request is where it is."""
        found = await self.client.explain(self.asked.request)
        self.tell(found.shown(), show.explanation(found))

    async def list(self) -> None:
        """Print requests."""
        asked = self.asked
        scope: Literal["tenant", "own"] = "tenant" if asked.tenant_wide else "own"
        rows = await self.client.list(status=asked.status, scope=scope, limit=asked.limit)
        self.tell(rows, show.requests(rows))

    async def cancel(self) -> None:
        """Ask a request to stop."""
        ack = await self.client.cancel(self.asked.request, self.asked.reason)
        shown = Text.assemble(show.text(f"{ack.request_id}  "), show.status(ack.status))
        self.tell(ack.shown(), shown)

    async def history(self) -> None:
        """Print a request's events."""
        events = await self.client.history(self.asked.request)
        self.tell([event.shown() for event in events], show.history(events))

    async def metrics(self) -> None:
        """Print the tenant's counts."""
        end = self.asked.end or datetime.now(UTC)
        start = self.asked.start or end - LAST_HOUR
        page = await self.client.metrics(start, end, self.asked.action, self.asked.per)
        told = {"rows": page.rows, "totals": page.totals, "gauges": page.gauges, "quantile_error": page.quantile_error}
        self.tell(told, show.metrics(page))

    async def audit(self) -> None:
        """Print who did what."""
        day = None if self.asked.request else (self.asked.day or datetime.now(UTC).date())
        rows = await self.client.audit(day=day, request_id=self.asked.request, user_id=self.asked.of_user)
        self.tell(rows, show.audit(rows))

    async def ping(self) -> None:
        """Print how soon the server answers."""
        start = datetime.now(UTC)
        at = await self.client.ping()
        took = (datetime.now(UTC) - start) / timedelta(milliseconds=1)
        self.tell({"at": to_text(at), "ms": round(took)}, Text(f"alive at {to_text(at)}, answered in {took:.0f} ms"))

    async def _follow(self, handle: Handle, name: str) -> None:
        if self.asked.json:
            async for update in handle:
                self.console.print(show.text(exact_json.encode(_as_json(update))), soft_wrap=True)
        elif handle.request_id:
            self.console.print(show.text(handle.request_id, style="dim"))
            with Bars(self.console) as bars:
                bar = bars.add(name)
                async for update in handle:
                    bar.show(update)
        thing = await handle.result()
        if self.asked.json:
            self.console.print(show.text(exact_json.encode({"result": thing})), soft_wrap=True)
        else:
            show.result(self.console, thing)


COMMANDS: Final[Mapping[str, Callable[[Session], Awaitable[None]]]] = {
    command.__name__.replace("_", "-"): command
    for command in (
        Session.submit,
        Session.submit_many,
        Session.watch,
        Session.get,
        Session.explain,
        Session.list,
        Session.cancel,
        Session.history,
        Session.metrics,
        Session.audit,
        Session.ping,
    )
}


def _as_json(update: Update) -> dict[str, Any]:
    return {
        "request_id": update.request_id,
        "from_version": update.from_version,
        "version": update.version,
        "type": update.type,
        "at": to_text(update.at),
        "data": update.data,
        "state": update.state,
    }
