"""`streamer reconcile`: requests whose views are behind their logs are found and brought up."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from rich.console import Console

from adapters.clock import Clock
from adapters.reconciler import Reconciled, Reconciler
from tools.building import pages
from tools.operated import Operated
from tools.rebuild import progress


def reconcile(stack: Operated, tenant_id: str | None, segments: int, clock: Clock, console: Console) -> Reconciled:
    """Look at the whole log, in segments side by side, and bring up what is behind it."""
    stopping = Event()
    with progress(stack, "Events", "looking at the log", 0, console) as passed, ThreadPoolExecutor(segments) as pool:

        def segment(number: int) -> Reconciled:
            reconciled = Reconciled()
            reconciler = Reconciler(stack.events, stack.views, stack.projector(clock), clock)
            for rows, _ in pages(stack, "Events", segments, number, None, tenant_id):
                if stopping.is_set():
                    break
                reconciler.look_at(rows, reconciled)
                passed(len(rows))
            return reconciled

        try:
            parts = list(pool.map(segment, range(segments)))
        except BaseException:
            stopping.set()
            raise
    return Reconciled(
        sum(part.looked_at for part in parts),
        sum(part.behind for part in parts),
        sum(part.repaired for part in parts),
        sum(part.unreadable for part in parts),
    )
