"""A post is signed as botocore signs it, byte for byte."""

from datetime import datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from adapters.signatures import SERVICE, Body, Signer
from tests.kit.clock import START

REGION, KEY = "eu-west-1", "a made up key"
ENDPOINTS = [
    "https://abc123.execute-api.eu-west-1.amazonaws.com/live",
    "https://abc123.execute-api.eu-west-1.amazonaws.com:443/live/",
    "http://127.0.0.1:4566/_aws/execute-api/abc123/live",
]


def signer(endpoint: str, token: str | None = None, key: str = KEY) -> Signer:
    keys = ReadOnlyCredentials("AKID", key, token)
    return Signer(endpoint, REGION, lambda: keys)


def of_botocore(request: bytes, endpoint: str, token: str | None, at: datetime) -> str:
    """What botocore would put into the Authorization header of the same request."""
    head, _, body = request.partition(b"\r\n\r\n")
    target = head.split(b" ")[1].decode()
    scheme, _, rest = endpoint.partition("://")
    twin = AWSRequest("POST", f"{scheme}://{rest.partition('/')[0]}{target}", data=body)
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    twin.headers["X-Amz-Date"] = stamp
    twin.context["timestamp"] = stamp
    auth = SigV4Auth(Credentials("AKID", KEY, token), SERVICE, REGION)
    if token:
        twin.headers["X-Amz-Security-Token"] = token
    signature = auth.signature(auth.string_to_sign(twin, auth.canonical_request(twin)), twin)
    return str(signature)


def headers_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines)


# Not dots alone: botocore takes such a segment out of the path, and API Gateway makes no such id.
ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip("."))


@given(
    connection_id=st.just("L0SM9cOFvHcCIhw=") | ids,
    text=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])),
    token=st.sampled_from([None, "to/k+en=="]),
    endpoint=st.sampled_from(ENDPOINTS),
)
def test_a_signature_is_botocores(connection_id: str, text: str, token: str | None, endpoint: str) -> None:
    request = signer(endpoint, token).batch(START).request(connection_id, Body.of(text))
    headers = headers_of(request)
    assert headers["Authorization"].endswith(f"Signature={of_botocore(request, endpoint, token, START)}")
    assert headers.get("X-Amz-Security-Token") == token
    assert request.endswith(b"\r\n\r\n" + text.encode())
    assert headers["Content-Length"] == str(len(text.encode()))


def test_another_day_and_other_credentials_have_another_key() -> None:
    first = signer(ENDPOINTS[0])
    tomorrow = START + timedelta(days=1)
    body = Body.of("{}")
    for at in (START, tomorrow, START):
        request = first.batch(at).request("c", body)
        assert f"Signature={of_botocore(request, ENDPOINTS[0], None, at)}" in request.decode()
    others = signer(ENDPOINTS[0], key="other").batch(START).request("c", body)
    assert f"Signature={of_botocore(others, ENDPOINTS[0], None, START)}" not in others.decode()


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        (ENDPOINTS[0], "abc123.execute-api.eu-west-1.amazonaws.com"),
        (ENDPOINTS[1], "abc123.execute-api.eu-west-1.amazonaws.com"),
        (ENDPOINTS[2], "127.0.0.1:4566"),
    ],
    ids=["no port", "implied", "told"],
)
def test_the_host_that_is_signed_has_no_port_that_the_scheme_implies(endpoint: str, host: str) -> None:
    assert signer(endpoint).host == host
