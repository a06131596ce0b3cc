"""`streamer audit verify`: every request's hash chain against the log, and the log against the audit view."""

from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.text import Text

from adapters.clock import Clock
from tools import parity
from tools.building import Plan, build
from tools.operated import Operated
from tools.parity import Period
from tools.rebuild import pause, progress, remove
from tools.shadow import Shadow

SHOWN_AT_MOST = 50


def verify(
    stack: Operated,
    tenant_id: str | None,
    segments: int,
    directory: Path,
    clock: Clock,
    console: Console,
    bars: Console | None = None,
) -> list[str]:
    """What is wrong, the first event of each request that is missing or altered; nothing if all is whole.

    Told on the console, with the progress on another one if it is given.
    """
    file = directory / f"{stack.name}-verify{f'-{tenant_id}' if tenant_id else ''}.sqlite"
    remove(file)
    now = clock.now()
    plan = Plan("audit", now, tenant_id, segments)
    with closing(Shadow(file)) as shadow:
        with progress(stack, "Events", "checking the chains", 0, bars or console) as passed:
            build(stack, plan, shadow, passed)
        with progress(stack, "Audit", "checking the entries", 0, bars or console) as passed:
            differences = parity.compare(stack, plan, Period(now), shadow, pause, passed)
        wrong = {name: f"{name} version {version}: missing or altered in the log" for name, version in shadow.broken()}
        for difference in [*parity.cut_off(stack, plan, shadow), *sorted(differences, key=lambda one: one.what)]:
            wrong.setdefault(difference.request_id or " ".join(difference.key), difference.what)
        events, (requests, entries) = shadow.events(), shadow.size()
    remove(file)
    console.print(Text(f"{events:,} events of {requests:,} requests, {entries:,} audit entries"))
    for line in list(wrong.values())[:SHOWN_AT_MOST]:
        console.print(Text(line, style="red"), soft_wrap=True)
    if not wrong:
        console.print(Text("Every chain is whole, and every entry is what the log says.", style="green"))
    return list(wrong.values())
