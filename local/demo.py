"""The demo: real requests through the real client against a stack on this machine, and what its views say of them.

Exits with 0 when every request ended as it should, its hash chain is whole and the metrics equal what was submitted.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from adapters.event_store import EventStore
from client import StreamerClient, show
from client.bars import Bars
from client.tokens import make_token
from domain.errors import StreamerError
from domain.events import AttemptFailed, AttemptStarted
from domain.recorded import first_break
from domain.state import Status
from local import stack as local_stack
from local.aws import session
from local.demo_jobs import Job, follow, jobs
from local.errors import StackError
from local.probe import content_of
from local.stack import HOME, Stack

TENANT: Final = "acme"
WIDTH: Final = 100
PATIENCE: Final = timedelta(seconds=30)
BETWEEN_LOOKS: Final = 0.2  # seconds between two looks at a view that follows the log


class DemoFailed(StreamerError):
    """Something is not as it should be."""

    message = "The demo failed"


def main() -> int:
    """Run the demo; the exit code."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    directory = HOME / "demo"
    try:
        console.print(Rule("The stack on this machine", align="left"))
        with local_stack.running(directory, lambda step: console.print(f"{step} …")) as stack:
            asyncio.run(Demo(stack, console, directory).run())
            console.print()
            console.print("Stopping the stack. `make up` keeps one running; README.md says what to do with it.")
    except (StackError, StreamerError, OSError) as error:
        console.print(Text(str(error), style="red"), soft_wrap=True)
        console.print(Text(f"The logs are in {directory}"), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


class Demo:
    """One run."""

    def __init__(self, stack: Stack, console: Console, directory: Path) -> None:
        self._stack = stack
        self._console = console
        self._directory = directory
        self._jobs: list[Job] = []
        self._started = datetime.now(UTC)

    async def run(self) -> None:
        """Do everything, in order."""
        async with self._client("ann", "tenant:read") as ann, self._client("bob") as bob:
            await self._warm_up()
            await self._echo(ann)
            asked = jobs()
            self._title(f"{len(asked)} requests by two users of the tenant {TENANT}, at the same time")
            await self._work([(job, (ann, bob)[number % 2]) for number, job in enumerate(asked)])
            await self._metrics_agree(ann)
            report = Job("report on all this", "generate_report", self._period())
            self._title("A report on the demo itself")
            await self._work([(report, ann)])
            self._results([*asked, report])
            await self._keep(report)
            failed = next(job for job in asked if job.ends is Status.FAILED)
            await self._audit_trail(ann, failed)
            await self._show_metrics(ann)
            self._latency()

    def _client(self, user: str, *scopes: str) -> StreamerClient:
        def token() -> str:
            return make_token(self._stack, tenant=TENANT, user=user, scopes=scopes, now=datetime.now(UTC))

        return StreamerClient(self._stack.ws_url, token=token)

    async def _warm_up(self) -> None:
        """Have every function started once, for another tenant: a first start takes this machine about a second."""
        self._console.print("Starting the functions …")
        token = make_token(self._stack, tenant="warm-up", user="ann", now=datetime.now(UTC))
        async with StreamerClient(self._stack.ws_url, token=token) as client:
            await client.call("echo")
            # As many at once as the demo has later, so that there are workers for all.
            handles = [await client.submit("delay", {"seconds": 1}) for _ in jobs()]
            await asyncio.gather(*(handle.result() for handle in handles))

    async def _echo(self, client: StreamerClient) -> None:
        self._title("A synchronous action answers at once")
        sent = {"hello": "world", "exact": 2**70}
        start = datetime.now(UTC)
        if await client.call("echo", sent) != sent:
            raise DemoFailed("echo gave something else back")
        took = (datetime.now(UTC) - start) / timedelta(milliseconds=1)
        self._console.print(Text(f"echo  {show.value(sent)}  in {took:.0f} ms"))

    async def _work(self, jobs: list[tuple[Job, StreamerClient]]) -> None:
        self._jobs += [job for job, _ in jobs]
        with Bars(self._console, max(len(job.name) for job, _ in jobs)) as bars:
            await asyncio.gather(*(follow(job, client, bars) for job, client in jobs))
        for job in self._jobs:
            if job.status is not job.ends:
                raise DemoFailed(f"{job.name} ended as {job.status}, not as {job.ends}", error=job.error)

    def _results(self, jobs: list[Job]) -> None:
        self._title("Results")
        for job in jobs:
            line = Text.assemble((f"{job.name}  ", "bold"), show.status(job.status), f"  {job.error}")
            self._console.print(line, soft_wrap=True)
            if job.result is not None:
                show.result(self._console, _readable(job.result))

    async def _keep(self, report: Job) -> None:
        """Download the page by its link, as a browser would: the link ends with the stack."""
        file = self._directory / "report.html"
        file.write_bytes(await asyncio.to_thread(content_of, report.result["html"]["link"]))
        self._console.print(Text(f"The report's page was kept: {file}"), soft_wrap=True)

    async def _audit_trail(self, client: StreamerClient, job: Job) -> None:
        self._title(f"The audit trail of: {job.name}")
        entries = await client.audit(request_id=job.request_id)
        self._console.print(show.audit(entries))
        dynamodb = session().client("dynamodb", endpoint_url=self._stack.endpoint_url)
        log = list(EventStore(dynamodb, self._stack.tables["Events"]).read(job.request_id))
        broken = first_break(log)
        if broken is not None or len(log) != len(entries):
            raise DemoFailed("the log is not whole", broken_at=broken, events=len(log), entries=len(entries))
        whole = f"The hash chain of its {len(log)} events is whole and ends in {log[-1].hash.hex()[:16]}…"
        self._console.print(Text(whole, style="green"))

    async def _metrics_agree(self, client: StreamerClient) -> Mapping[str, int]:
        """The tenant's counts, once they are those of the events that were seen."""
        expected = self._expected()
        counts: dict[str, int] = {}

        async def agree() -> bool:
            page = await client.metrics(self._started, datetime.now(UTC) + timedelta(minutes=1))
            counts.update({name: int(page.totals.get(name, 0)) for name in expected})
            return counts == expected

        if not await _becomes_true(agree):
            raise DemoFailed("the metrics differ from what was submitted", metrics=counts, submitted=expected)
        return counts

    async def _show_metrics(self, client: StreamerClient) -> None:
        self._title(f"The metrics of the tenant {TENANT}")
        counts = await self._metrics_agree(client)
        expected = self._expected()
        made = show.table("", *counts, right=tuple(counts))
        made.add_row("the metrics view", *map(str, counts.values()))
        made.add_row("the demo's requests", *(str(expected[name]) for name in counts))
        self._console.print(made)
        self._console.print(Text("The view equals what was submitted.", style="green"))

    def _expected(self) -> dict[str, int]:
        ended = Counter(job.status for job in self._jobs)
        happened = Counter(name for job in self._jobs for name in job.types)
        return {
            "submitted": len(self._jobs),
            "started": happened[AttemptStarted.__name__],
            "retried": happened[AttemptFailed.__name__],
            "completed": ended[Status.COMPLETED],
            "failed": ended[Status.FAILED],
            "cancelled": ended[Status.CANCELLED],
        }

    def _latency(self) -> None:
        taken = [latency for job in self._jobs for latency in job.latencies_ms]
        worst = quantiles(taken, n=100, method="inclusive")[-1]
        self._title("From the append of an event to its receipt by the client")
        self._console.print(f"median {median(taken):.0f} ms   p99 {worst:.0f} ms   ({len(taken)} updates)")

    def _period(self) -> dict[str, str]:
        start = self._started - timedelta(minutes=1)
        end = datetime.now(UTC) + timedelta(minutes=1)
        return {"start": start.isoformat(), "end": end.isoformat(), "title": f"The demo of {TENANT}"}

    def _title(self, text: str) -> None:
        self._console.print()
        self._console.print(Rule(text, align="left"))


async def _becomes_true(condition: Callable[[], Awaitable[bool]]) -> bool:
    """Whether a condition holds before patience ends."""
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            while not await condition():  # noqa: ASYNC110 - the view is on the server, nothing here could set an event
                await asyncio.sleep(BETWEEN_LOOKS)
    except TimeoutError:
        return False
    return True


def _readable(result: Any) -> Any:
    """A result without what is long: of a link its address, without what signs it."""
    if not isinstance(result, Mapping):
        return result
    return {
        name: f"{part['link'].partition('?')[0]}?…" if isinstance(part, Mapping) and "link" in part else part
        for name, part in result.items()
    }


if __name__ == "__main__":
    sys.exit(main())
