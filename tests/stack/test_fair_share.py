"""A tenant with a long queue does not hold up another tenant's first request."""

from adapters.request_queue import RequestQueue, Submission
from adapters.stream_records import event_of
from domain.recorded import Head
from local.stack import Stack
from tests.kit.stacks import aws_of, processes_of, queue_of, work_paused
from tests.kit.streams import StreamReader
from tests.kit.waiting import becomes_true

MANY = 60  # more than a look at the queue shows at once


def ask(queue: RequestQueue, tenant_id: str, priority: int) -> Head:
    asked = Submission(
        tenant_id=tenant_id, user_id="ann", action="echo_async", payload=1, max_attempts=1, priority=priority
    )
    return queue.enqueue(queue.request_id(asked), asked)[0]


async def test_the_first_request_of_a_tenant_waits_for_one_request_a_worker_at_most(stack: Stack, tenant: str) -> None:
    other, queue = f"{tenant}-other", queue_of(stack)
    with work_paused(stack):
        flood = [ask(queue, tenant, priority=9) for _ in range(MANY)]
        first = ask(queue, other, priority=0)
        await becomes_true(lambda: len(queue.list_by_tenant(other, 1, None, None).rows) == 1)
    await becomes_true(lambda: all(queue.get(head.request_id).state.is_final for head in (first, *flood)))

    aws = aws_of(stack)
    records = StreamReader(aws.streams, aws.tables["Events"]).read()
    starts = [event for event in map(event_of, records) if event.type == "AttemptStarted"]
    tenants = [event.tenant_id for event in starts if event.tenant_id in (tenant, other)]
    assert len(tenants) == MANY + 1
    # Each worker may have one of the flood before it, and no worker has two.
    assert tenants.index(other) <= len(processes_of(stack, "Work"))
