"""Who is let in and what is refused, over real sockets."""

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import websockets
from websockets.exceptions import InvalidStatus

from client import RequestRejected
from client.tokens import make_token
from local.stack import Stack
from tests.stack.conftest import Connect

MARKER = "marker-in-a-bad-frame"


def token_for(stack: Stack, **changed: Any) -> str:
    now = datetime.now(UTC)
    claims = {
        "iss": stack.issuer,
        "aud": stack.audience,
        "sub": "ann",
        "tenant_id": "acme",
        "iat": now,
        "exp": now + timedelta(minutes=5),
    }
    return jwt.encode({**claims, **changed}, stack.token_key, algorithm="HS256")


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"iss": "somebody-else"},
        {"aud": "another-service"},
        {"tenant_id": "acme#other"},
        {"tenant_id": 7},
    ],
    ids=["expired", "another issuer", "another audience", "a tenant with #", "a tenant that is a number"],
)
async def test_a_token_that_proves_nothing_opens_no_socket(stack: Stack, changed: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {token_for(stack, **changed)}"}
    with pytest.raises(InvalidStatus) as refused:
        await websockets.connect(stack.ws_url, additional_headers=headers)
    assert refused.value.response.status_code in (401, 403)


async def test_neither_a_forged_token_nor_none_nor_one_in_the_url_opens_a_socket(stack: Stack) -> None:
    forged = jwt.encode({"sub": "ann"}, "another key of thirty-two bytes or more", algorithm="HS256")
    good = token_for(stack)
    for url, headers in (
        (stack.ws_url, {"Authorization": f"Bearer {forged}"}),
        (stack.ws_url, {}),
        (f"{stack.ws_url}?token={good}", {}),
        (f"{stack.ws_url}?Authorization={good}", {}),
        (f"{stack.ws_url}?ticket={good}", {}),
    ):
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(url, additional_headers=headers)
        assert refused.value.response.status_code in (401, 403)


async def test_a_ticket_opens_one_socket_and_no_second_one(stack: Stack) -> None:
    ticket = post_for_ticket(stack, token_for(stack))["ticket"]
    async with websockets.connect(f"{stack.ws_url}?ticket={ticket}") as socket:
        await socket.send('{"type":"ping","id":"1"}')
        assert json.loads(await socket.recv())["type"] == "pong"
    with pytest.raises(InvalidStatus):
        await websockets.connect(f"{stack.ws_url}?ticket={ticket}")


def test_no_ticket_is_issued_without_a_token(stack: Stack) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post_for_ticket(stack, "nonsense")
    assert refused.value.code == 401
    refused.value.close()


def post_for_ticket(stack: Stack, token: str) -> Any:
    request = urllib.request.Request(stack.ticket_url, method="POST", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - this machine's own stack
        return json.loads(answer.read())


BAD_FRAMES = [
    (MARKER, "VALIDATION_ERROR", None),
    (f'["{MARKER}"]', "VALIDATION_ERROR", None),
    (f'{{"type":"unknown","id":"1","x":"{MARKER}"}}', "VALIDATION_ERROR", "1"),
    (f'{{"type":"ping","id":"2","extra":"{MARKER}"}}', "VALIDATION_ERROR", "2"),
    (f'{{"type":"submit","id":"3","action":["{MARKER}"]}}', "VALIDATION_ERROR", "3"),
    (f'{{"type":"submit","id":"4","action":"none","payload":"{MARKER}"}}', "INVALID_ACTION", "4"),
    (f'{{"type":"submit","id":"5","action":"delay","payload":{{"seconds":"{MARKER}"}}}}', "VALIDATION_ERROR", "5"),
    (f'{{"type":"get","id":"6","request_id":"{"0" * 36}"}}', "NOT_FOUND", "6"),
    ('{"type":"subscribe","id":"7","topic":"tenant#another"}', "NOT_FOUND", "7"),
    ('{"type":"metrics","id":"8","from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"}', "FORBIDDEN", "8"),
    (f'{{"type":"submit","id":"9","action":"echo","payload":"{MARKER * 7000}"}}', "PAYLOAD_TOO_LARGE", None),
]


async def test_every_bad_frame_is_answered_by_its_error_and_the_connection_keeps_working(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {token_for(stack)}"}
    async with websockets.connect(stack.ws_url, additional_headers=headers) as socket:
        for frame, code, frame_id in BAD_FRAMES:
            await socket.send(frame)
            reply = json.loads(await socket.recv())
            assert (reply["type"], reply["code"], reply.get("id")) == ("error", code, frame_id)
        await socket.send('{"type":"ping","id":"alive"}')
        assert json.loads(await socket.recv())["type"] == "pong"


def test_what_was_in_a_bad_frame_is_in_no_log(stack: Stack) -> None:
    assert MARKER not in Path(stack.log_dir, "functions.log").read_text(encoding="utf-8")


async def test_another_tenants_request_does_not_exist_and_another_users_needs_a_scope(connect: Connect) -> None:
    ann = await connect("ann")
    handle = await ann.submit("echo_async", 1)
    stranger = await connect("ann", "tenant:read", "tenant:write", of="another-tenant")
    colleague = await connect("bob")
    reader = await connect("eve", "tenant:read")
    for client, code in ((stranger, "NOT_FOUND"), (colleague, "FORBIDDEN")):
        for asked in (
            client.get(handle.request_id),
            client.subscribe(handle.request_id),
            client.cancel(handle.request_id),
        ):
            with pytest.raises(RequestRejected) as refused:
                await asked
            assert refused.value.code == code
    assert (await reader.get(handle.request_id)).request_id == handle.request_id
    with pytest.raises(RequestRejected) as refused:
        await reader.cancel(handle.request_id)
    assert refused.value.code == "FORBIDDEN"


async def test_a_socket_is_closed_when_its_token_ends(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {token_for(stack, exp=datetime.now(UTC) + timedelta(seconds=3))}"}
    async with websockets.connect(stack.ws_url, additional_headers=headers) as socket:
        reply = {"type": "pong"}
        while reply["type"] == "pong":
            await socket.send('{"type":"ping","id":"1"}')
            reply = json.loads(await socket.recv())
        assert (reply["code"], reply["id"]) == ("UNAUTHORIZED", "1")
        await socket.wait_closed()


def test_the_client_makes_the_same_tokens(stack: Stack) -> None:
    made = make_token(stack, tenant="acme", user="ann", now=datetime.now(UTC))
    assert jwt.decode(made, stack.token_key, algorithms=["HS256"], audience=stack.audience)["sub"] == "ann"
