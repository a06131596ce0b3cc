"""A newer version is deployed over a stack that works: nothing is lost, done twice, or told wrongly."""

import asyncio
import io
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from rich.console import Console

from adapters.clock import Clock
from client import StreamerClient
from client.tokens import make_token
from local import deploy
from local.aws import session
from local.stack import Stack, running
from tests.stack.test_views import totals_when
from tools.deployed import Deployed
from tools.doctor import examine
from tools.operated import Operated, described
from tools.rebuild import Asked, rebuild
from tools.verify import verify

QUIET: Final = Console(file=io.StringIO())
# Seconds of each lane's slow requests: of different lengths, so that one is always under way.
LANES: Final = (2, 3, 5)
TENANT: Final = "upgraded"
# What is deployed and what builds it; tests, docs and the client are not.
SOURCES: Final = ("domain", "projections", "adapters", "handlers", "actions", "local")
PINNED: Final = ("requirements.txt", "requirements-tokens.txt", "requirements-keys.txt")
FILES: Final = ("Makefile", "template.yaml", "samconfig.toml", *PINNED)


@pytest.fixture
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is deployed over."""
    with running(tmp_path_factory.mktemp("upgraded"), LeaseSeconds="5") as started:
        yield started


def newer(to: Path) -> Path:
    """A checkout of a version whose `echo_async` answers otherwise."""
    for name in SOURCES:
        shutil.copytree(deploy.PROJECT / name, to / name)
    for name in FILES:
        shutil.copy(deploy.PROJECT / name, to)
    for name in (".venv", ".local"):  # what builds it, and packages that are there already
        (to / name).symlink_to(deploy.PROJECT / name)
    echo = to / "actions" / "echo.py"
    was = echo.read_text()
    head, last, tail = was.rpartition("    return payload")
    assert last
    echo.write_text(f'{head}    return {{"newer": payload}}{tail}')
    return to


def connected(stack: Stack) -> StreamerClient:
    token = make_token(stack, tenant=TENANT, user="ann", now=datetime.now(UTC), scopes=("tenant:read",))
    return StreamerClient(stack.ws_url, token=token)


class Load:
    """Requests without a pause, some lanes of them side by side, until they are told to stop."""

    def __init__(self, client: StreamerClient) -> None:
        self._client = client
        self._stop = asyncio.Event()
        self._answered = asyncio.Condition()
        self.ids: list[str] = []
        self.echoed: list[Any] = []

    async def lane(self, seconds: int) -> None:
        """One slow request after the other, of so many seconds, and a quick one beside each."""
        while not self._stop.is_set():
            slow = await self._client.submit("delay", {"seconds": seconds, "steps": 4})
            quick = await self._client.submit("echo_async", 1)
            self.ids += [slow.request_id, quick.request_id]
            assert (await slow.result())["waited_s"] == seconds
            answer = await quick.result()
            async with self._answered:
                self.echoed.append(answer)
                self._answered.notify_all()

    async def answered(self, result: Any) -> None:
        """Wait until a quick request has been answered so."""
        async with self._answered:
            await self._answered.wait_for(lambda: result in self.echoed)

    def stop(self) -> None:
        """Let each lane end with what it has asked for."""
        self._stop.set()


async def spans(client: StreamerClient, ids: list[str], instant: datetime) -> int:
    """How many of the requests were there before an instant and ended after it."""
    found = 0
    for request_id in ids:
        events = await client.history(request_id)
        assert [event.version for event in events] == [*range(1, len(events) + 1)]
        assert Counter(event.type for event in events)["RequestCompleted"] == 1
        found += events[0].at < instant < events[-1].at
    return found


def wrong(stack: Stack, operated: Operated, directory: Path) -> list[Any]:
    """Everything that an operator could find to be wrong."""
    seen = Deployed(deploy.STACK_NAME, session(), stack.endpoint_url)
    until = datetime.now(UTC) + timedelta(hours=1)
    view = rebuild(operated, Asked("requests", tenant_id=TENANT, until=until, segments=2), directory, Clock(), QUIET)
    return [
        *(finding for finding in examine(seen) if finding.wrong),
        *verify(operated, TENANT, 2, directory, Clock(), QUIET),
        *view.differences,
    ]


async def test_a_newer_version_is_deployed_over_a_stack_that_works_and_nothing_is_lost(
    upgraded: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = deploy.Token(upgraded.token_key, upgraded.issuer, upgraded.audience)
    directory = Path(upgraded.log_dir).parent
    operated = described(deploy.STACK_NAME, session(), upgraded.endpoint_url)
    monkeypatch.setattr(deploy, "PROJECT", newer(tmp_path))
    async with connected(upgraded) as client:
        load = Load(client)
        async with asyncio.TaskGroup() as lanes:
            running_lanes = [lanes.create_task(load.lane(seconds)) for seconds in LANES]
            await load.answered(1)
            changed = {"LeaseSeconds": "6", "RetentionDays": "2"}
            await asyncio.to_thread(deploy.deploy, directory, upgraded.endpoint_url, token, changed)
            async with connected(upgraded) as another:
                assert await (await another.submit("echo_async", 2)).result() == {"newer": 2}
            assert not any(lane.done() for lane in running_lanes), "they ran all the time"
            await load.answered({"newer": 1})
            load.stop()
        done = len(load.ids) // 2
        before, after = load.echoed.count(1), load.echoed.count({"newer": 1})
        assert before + after == done, "each by the version before, or by the newer one"

        functions = session().client("lambda", endpoint_url=upgraded.endpoint_url)
        name = Deployed(deploy.STACK_NAME, session(), upgraded.endpoint_url).resources["Work"]
        configured = functions.get_function_configuration(FunctionName=name)
        assert configured["Environment"]["Variables"]["LEASE_S"] == "6"
        assert await spans(client, load.ids, datetime.fromisoformat(configured["LastModified"])) > 0

        period = (datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1))
        totals = await totals_when(client, period, lambda counts: counts["completed"] == 2 * done + 1)
        assert (totals["submitted"], totals["failed"], totals["cancelled"]) == (2 * done + 1, 0, 0)
    assert await asyncio.to_thread(wrong, upgraded, operated, tmp_path) == []
