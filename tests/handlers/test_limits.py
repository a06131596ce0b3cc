"""Too much is refused with when to come again; whoever did not send it notices nothing, and nothing of it is done."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from adapters.items import to_item
from domain.commands import Start
from domain.instant import to_text
from handlers import bootstrap
from handlers import connect as connect_handler
from handlers.settings import Settings
from tests.handlers.conftest import Connect, claims_of, frame_event
from tests.kit.calls import Call, Calls, each, refused, watched
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, forget

Limited = Callable[..., None]


@pytest.fixture
def limited(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Limited:
    """Sets parameters of the template for the functions."""
    assert bootstrap.CLOCK is clock

    def limited(**parameters: int) -> None:
        for name, value in parameters.items():
            monkeypatch.setenv(name.upper(), str(value))
        forget()

    return limited


def limiting(calls: Calls, aws: Aws) -> int:
    """How many of the calls were made for the limits."""
    updates: list[bool] = [call.arguments["TableName"] == aws.tables["Limits"] for call in calls.of("UpdateItem")]
    return sum(updates) + len(calls.of("BatchGetItem"))


def set_gauge(aws: Aws, tenant: str, **gauges: int) -> None:
    """Let the metrics view say that the tenant has so many."""
    aws.dynamodb.put_item(
        TableName=aws.tables["Metrics"], Item=to_item({"scope": f"=gauges#{tenant}", "minute": "now", **gauges})
    )


def test_a_flood_is_refused_for_nothing_and_nobody_else_notices(connect: Connect, clock: FakeClock) -> None:
    flooding, beside, stranger = connect(), connect("bob"), connect(of="elsewhere")
    told: Counter[str] = Counter()
    for n in range(10_000):
        with watched() as calls:
            answer = flooding.say("submit", action="echo", payload=n)
        told[answer["type"]] += 1
        if answer["type"] == "error":
            assert not calls.made
            assert answer == {
                "type": "error",
                "code": "RATE_LIMITED",
                "message": "more than 100 a second from this connection",
                "details": {"limit": "connection", "per_second": 100, "burst": 1000},
                "retry_after_ms": 10,
            }
        if n % 1000 == 999:
            assert beside.say("ping")["type"] == stranger.say("ping")["type"] == "pong"
            assert beside.say("submit", action="echo", payload=n) == {"type": "response", "data": n}
    assert told == {"response": 1000, "error": 9000}
    assert len(bootstrap.own_rates()._arrivals._known) == 3
    clock.advance(0.010)
    assert [flooding.say("submit", action="echo", payload=n)["type"] for n in range(2)] == ["response", "error"]


def test_a_tenant_may_submit_so_much_over_all_its_connections(
    connect: Connect, limited: Limited, aws: Aws, clock: FakeClock, tenant: str
) -> None:
    limited(submits_per_second=5, submit_burst=4)
    ann, bob, stranger = connect(), connect("bob"), connect(of=f"{tenant}-other")
    before = len(aws.rows("Events"))
    answers = [client.say("submit", action="echo_async", payload=n) for n in range(4) for client in (ann, bob)]
    assert [answer["type"] for answer in answers] == ["ack"] * 4 + ["error"] * 4
    assert answers[-1]["details"] == {"limit": "tenant", "per_second": 5, "burst": 4}
    assert answers[-1]["retry_after_ms"] == 200
    assert len(aws.rows("Events")) == before + 4
    assert stranger.say("submit", action="echo_async")["type"] == "ack"
    assert ann.say("list")["type"] == "requests"
    clock.advance(0.2)
    assert [ann.say("submit", action="echo_async")["type"] for _ in range(2)] == ["ack", "error"]


def test_frames_of_one_connection_count_together_whichever_process_answers_them(
    connect: Connect, limited: Limited
) -> None:
    limited(frames_per_second=1, frame_burst=3)
    ann = connect()
    kinds = []
    for _ in range(4):
        kinds.append(ann.say("list")["type"])
        forget()  # another process
    assert kinds == ["requests"] * 3 + ["error"]
    # What is light is counted in a process only.
    assert [ann.say("ping")["type"] for _ in range(4)] == ["pong"] * 3 + ["error"]


def test_a_submit_beyond_what_may_wait_is_refused_and_not_stored(
    connect: Connect, limited: Limited, aws: Aws, clock: FakeClock, tenant: str
) -> None:
    limited(tenant_queue_depth=100)
    set_gauge(aws, tenant, queued=100, running=7)
    ann, stranger = connect(), connect(of=f"{tenant}-other")
    before = {table: aws.rows(table) for table in ("Events", "Subscriptions")}
    answer = ann.say("submit", action="echo_async", idempotency_key="k")
    assert answer == {
        "type": "error",
        "code": "RATE_LIMITED",
        "message": "too many of the tenant's requests wait already",
        "details": {"limit": "queue", "most": 100},
        "retry_after_ms": 1000,
    }
    assert {table: aws.rows(table) for table in before} == before
    assert ann.say("submit", action="echo", payload=1) == {"type": "response", "data": 1}
    assert stranger.say("submit", action="echo_async")["type"] == "ack"
    set_gauge(aws, tenant, queued=99)
    clock.advance(1)
    assert ann.say("submit", action="echo_async", idempotency_key="k")["type"] == "ack"


def test_a_repeat_of_what_waits_already_is_no_more_to_a_full_queue(
    connect: Connect, limited: Limited, aws: Aws, clock: FakeClock, tenant: str
) -> None:
    limited(tenant_queue_depth=1)
    ann = connect()
    request_id = ann.submit(submission_id="once")
    set_gauge(aws, tenant, queued=1)
    clock.advance(1)
    again = ann.say("submit", action="echo_async", submission_id="once")
    assert (again["type"], again["request_id"], again["duplicate"]) == ("ack", request_id, True)
    assert ann.say("submit", action="echo_async", submission_id="another")["code"] == "RATE_LIMITED"


def test_a_full_queue_has_room_again_as_soon_as_one_of_its_requests_runs(
    connect: Connect, limited: Limited, clock: FakeClock, project: Callable[[], None]
) -> None:
    limited(tenant_queue_depth=5)
    ann = connect()
    waiting = [ann.submit() for _ in range(5)]
    project()
    clock.advance(1)
    assert ann.say("submit", action="echo_async")["details"] == {"limit": "queue", "most": 5}
    head = bootstrap.queue().get(waiting[0])
    start = Start(now=clock.now(), worker_id="w", lease_until=clock.now() + timedelta(seconds=30))
    bootstrap.queue().execute(start, head)
    project()
    clock.advance(1)
    assert ann.say("submit", action="echo_async")["type"] == "ack"


def test_what_the_limits_cost_in_calls(connect: Connect, aws: Aws, clock: FakeClock) -> None:
    ann = connect()
    costs = []
    for frame in (
        {"kind": "ping"},
        {"kind": "get", "request_id": "0190a0b0-0000-7000-8000-000000000000"},
        {"kind": "list"},
        {"kind": "submit", "action": "echo_async"},  # and the gauge
        {"kind": "submit", "action": "echo_async"},
        {"kind": "submit", "action": "echo"},
    ):
        clock.advance(1)
        with watched() as calls:
            ann.say(**frame)
        costs.append(limiting(calls, aws))
    assert costs == [0, 0, 1, 3, 2, 2]


def test_what_a_refusal_costs_in_calls(connect: Connect, limited: Limited, aws: Aws, tenant: str) -> None:
    limited(frames_per_second=1, frame_burst=8, submits_per_second=1, submit_burst=4, tenant_queue_depth=1)
    set_gauge(aws, tenant, queued=1)
    ann = connect()
    costs: dict[str, int] = {}
    for _ in range(10):
        with watched() as calls:
            answer = ann.say("submit", action="echo_async")
        costs[answer["details"]["limit"]] = limiting(calls, aws)
    assert costs == {"queue": 2, "tenant": 1, "connection": 0}


def test_zero_is_no_limit_and_costs_nothing(connect: Connect, limited: Limited, aws: Aws, tenant: str) -> None:
    limited(frames_per_second=0, submits_per_second=0, tenant_queue_depth=0, tenant_connections=0)
    set_gauge(aws, tenant, queued=10**6, connections=10**6)
    ann = connect()
    with watched() as calls:
        assert all(ann.say("submit", action="echo_async")["type"] == "ack" for _ in range(20))
        assert connect_handler.handler(frame_event(None, ann.claims, "c-new"), None) == {"statusCode": 200}
    assert limiting(calls, aws) == 0


def test_a_limit_that_cannot_be_looked_up_is_not_in_force(connect: Connect, aws: Aws) -> None:
    def of_limits(call: Call) -> bool:
        return call.operation == "BatchGetItem" or aws.tables["Limits"] in call.arguments.values()

    with watched(refused, of_limits) as calls:
        assert connect().say("submit", action="echo_async")["type"] == "ack"
    assert calls.fired == 3


def test_a_bucket_asked_for_more_than_a_row_can_take_is_empty(connect: Connect, aws: Aws) -> None:
    def throttled(call: Any, _: object) -> Any:
        raise aws.dynamodb.exceptions.ProvisionedThroughputExceededException(
            {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "made up"}}, call.operation
        )

    with watched(throttled, each("UpdateItem")):
        answer = connect().say("list")
    assert (answer["code"], answer["retry_after_ms"]) == ("RATE_LIMITED", 1000)


def test_a_tenant_may_have_so_many_connections(limited: Limited, aws: Aws, clock: FakeClock, tenant: str) -> None:
    limited(tenant_connections=3)
    set_gauge(aws, tenant, connections=3)
    ends_at = to_text(clock.now().replace(year=9999))

    def connect_as(tenant_id: str) -> Any:
        connected = frame_event(None, claims_of(tenant_id, "ann", ends_at), f"c-{tenant_id}-{clock.monotonic()}")
        return connect_handler.handler(connected, None)["statusCode"]

    assert connect_as(tenant) == 429
    assert not list(bootstrap.connections().list_by_tenant(tenant, clock.now()))
    assert connect_as(f"{tenant}-other") == 200
    set_gauge(aws, tenant, connections=2)
    clock.advance(1)
    assert connect_as(tenant) == 200


def test_the_demo_and_a_few_hundred_submits_at_once_are_far_from_any_limit(aws: Aws) -> None:
    given = Settings.read(aws.environment)
    assert min(given.frame_burst, given.submit_burst) >= 1000
    assert given.tenant_queue_depth >= 10_000
