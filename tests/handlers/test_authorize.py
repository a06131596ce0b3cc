"""A socket opens for a token that is whole, fresh and signed with the one key that counts; nobody is told why not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domain.errors import Unavailable
from domain.instant import from_text
from handlers import authorize
from tests.handlers.tokens import KEY, LEFT_OUT, Issuer, claims, forged, signed
from tests.kit.tables import Aws, environment_of, forget

ARN = "arn:aws:execute-api:us-east-1:1:api/live/$connect"
HOUR = 3600


def opening(token: str | None = None, **event: Any) -> dict[str, Any]:
    """The event of a connect."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return {"methodArn": ARN, "headers": headers, "queryStringParameters": None, **event}


def refused(event: dict[str, Any]) -> None:
    """Assert that API Gateway would answer 403, and that it is told nothing else."""
    statement = {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": ARN}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    assert authorize.handler(event, None) == {"principalId": "nobody", "policyDocument": policy}


@pytest.fixture
def shared(aws: Aws) -> Iterator[None]:
    """A stack whose tokens are signed with a secret."""
    assert aws.tables
    forget()
    yield
    forget()


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def published(aws: Aws, issuer: Issuer) -> Iterator[None]:
    """A stack whose tokens are signed by an issuer that publishes its keys."""
    with issuer.published() as url, environment_of({**aws.environment, "TOKEN_SECRET": "", "TOKEN_JWKS_URL": url}):
        yield


@pytest.mark.usefixtures("shared")
def test_a_good_token_opens_the_socket_with_its_identity() -> None:
    made = claims()
    answer = authorize.handler(opening(jwt.encode(made, KEY, "HS256")), None)
    assert answer["principalId"] == "ann"
    assert answer["policyDocument"]["Statement"] == [
        {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN}
    ]
    context = answer["context"]
    assert (context["tenant_id"], context["user_id"], context["scopes"]) == ("acme", "ann", "tenant:read tenant:write")
    assert from_text(context["ends_at"]) == datetime.fromtimestamp(made["exp"], UTC)


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("name", ["authorization", "AUTHORIZATION", "Authorization"])
@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_a_header_may_be_written_in_any_case(name: str, kind: str) -> None:
    assert authorize.handler(opening(headers={name: f"{kind} {signed()}"}), None)["principalId"] == "ann"


@pytest.mark.usefixtures("shared")
def test_without_scopes_there_are_none_and_one_audience_of_several_is_enough() -> None:
    token = signed(scope=LEFT_OUT, aud=["other", "streamer"])
    assert authorize.handler(opening(token), None)["context"]["scopes"] == ""


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "aud", "sub", "tenant_id"])
def test_every_claim_is_required(claim: str) -> None:
    left: dict[str, Any] = {claim: LEFT_OUT}
    refused(opening(signed(**left)))


NOW = int(datetime.now(UTC).timestamp())


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    "change",
    [
        {"iss": "somebody"},
        {"iss": "tests "},
        {"aud": "another"},
        {"aud": []},
        {"aud": None},
        {"exp": NOW - HOUR},
        {"exp": 0},
        {"exp": "soon"},
        {"exp": 10**20},
        {"exp": 10**11 * 3},
        {"exp": [NOW + HOUR]},
        {"nbf": NOW + HOUR},
        {"iat": NOW + HOUR},
        {"iat": "now"},
        {"tenant_id": "acme#eve"},
        {"tenant_id": "../acme"},
        {"tenant_id": ""},
        {"tenant_id": 5},
        {"tenant_id": None},
        {"tenant_id": "x" * 129},
        {"tenant_id": "acme\n"},
        {"sub": "ann#bob"},
        {"sub": ""},
        {"sub": "ann eve"},
        {"scope": ["tenant:read"]},
        {"scope": None},
    ],
)
def test_a_claim_that_does_not_fit_opens_nothing(change: dict[str, Any]) -> None:
    refused(opening(signed(**change)))


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    "token",
    [
        forged({"alg": "none", "typ": "JWT"}),
        forged({"alg": "None", "typ": "JWT"}, KEY),
        forged({"alg": "", "typ": "JWT"}, KEY),
        forged({"typ": "JWT"}, KEY),
        forged({"alg": ["HS256"]}, KEY),
        forged({"alg": "HS512", "typ": "JWT"}, KEY),
        forged({"alg": "HS256", "crit": ["x"], "x": 1}, KEY),
        forged({"alg": "HS256", "typ": "JWT"}, "another key that is as long as it should be"),
        forged({"alg": "HS256", "typ": "JWT"}, "\x00"),
        jwt.encode(claims(), KEY + KEY, "HS512"),
        signed()[:-2],
        signed().rpartition(".")[0] + ".",
        signed() + "x",
        signed(padding="x" * 4096),
        "",
        "x",
        "a.b.c",
        "...",
        "\ud800",
        "é.é.é",
        KEY,
    ],
)
def test_a_forged_token_opens_nothing(token: str) -> None:
    refused(opening(token))


@pytest.mark.usefixtures("shared")
def test_a_forged_header_is_not_made_good_by_the_right_secret() -> None:
    assert authorize.handler(opening(forged({"alg": "HS256", "typ": "JWT"}, KEY)), None)["principalId"] == "ann"


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(
    "event",
    [
        opening(),
        opening(headers=None),
        opening(headers={"Authorization": ""}),
        opening(headers={"Authorization": "Bearer"}),
        opening(headers={"Authorization": f"Basic {signed()}"}),
        opening(headers={"Authorization": signed()}),
        opening(queryStringParameters={"token": signed()}),
        opening(queryStringParameters={"access_token": signed()}),
        opening(queryStringParameters={"Authorization": f"Bearer {signed()}"}),
        opening(queryStringParameters={"ticket": signed()}),
        opening(queryStringParameters={"ticket": ""}),
    ],
)
def test_a_token_anywhere_but_in_its_header_opens_nothing(event: dict[str, Any]) -> None:
    refused(event)


def test_a_stack_that_was_given_no_key_lets_nobody_in(aws: Aws) -> None:
    with environment_of({**aws.environment, "TOKEN_SECRET": "", "TOKEN_JWKS_URL": ""}):
        refused(opening(forged({"alg": "HS256", "typ": "JWT"}, b"\x00")))
        refused(opening(forged({"alg": "HS256", "typ": "JWT"})))
        refused(opening(signed()))


def test_a_token_of_the_key_before_and_of_one_just_made_opens_the_socket(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = {"AWSCURRENT": "one" * 16}
    monkeypatch.setattr("adapters.token_secret.fetched", lambda _, stage: versions.get(stage))
    monkeypatch.setattr("adapters.token_secret.SETTLED_S", 0.0)
    with environment_of(aws.environment):
        assert authorize.handler(opening(signed("one" * 16)), None)["principalId"] == "ann"
        refused(opening(signed("two" * 16)))
        versions.update(AWSCURRENT="two" * 16, AWSPREVIOUS="one" * 16)
        for secret in ("two" * 16, "one" * 16):
            assert authorize.handler(opening(signed(secret)), None)["principalId"] == "ann"
        refused(opening(signed("three" * 16)))


@pytest.mark.usefixtures("published")
def test_a_published_keys_token_opens_the_socket(issuer: Issuer) -> None:
    for token in (issuer.token("rsa", issuer.rsa, "RS256"), issuer.token("ec", issuer.ec, "ES256")):
        assert authorize.handler(opening(token), None)["principalId"] == "ann"


def pem(issuer: Issuer) -> bytes:
    return issuer.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


FORGERIES: dict[str, Callable[[Issuer], str]] = {
    "signed by somebody else": lambda _: Issuer().token("rsa", rsa.generate_private_key(65537, 2048), "RS256"),
    "an unknown key": lambda issuer: issuer.token("unknown", issuer.rsa, "RS256"),
    "no key named": lambda issuer: jwt.encode(claims(), issuer.rsa, "RS256"),
    "the public key as a secret": lambda issuer: forged({"alg": "HS256", "kid": "rsa"}, pem(issuer)),
    "the published key as a secret": lambda issuer: forged({"alg": "HS256", "kid": "rsa"}, issuer.keys[0]["n"]),
    "a published secret": lambda issuer: forged({"alg": "HS256", "kid": "oct"}, issuer.shared),
    "a published secret under a public name": lambda issuer: forged({"alg": "RS256", "kid": "oct"}, issuer.shared),
    "an EC signature for the RSA key": lambda issuer: issuer.token("rsa", issuer.ec, "ES256"),
    "an RSA signature for the EC key": lambda issuer: issuer.token("ec", issuer.rsa, "RS256"),
    "somebody's EC signature for the RSA key": lambda issuer: issuer.token(
        "rsa", ec.generate_private_key(ec.SECP256R1()), "ES256"
    ),
    "no signature": lambda _: forged({"alg": "none", "kid": "rsa"}),
    "a wider RSA algorithm": lambda issuer: issuer.token("rsa", issuer.rsa, "RS512"),
    "a key id of no kind": lambda issuer: forged({"alg": "RS256", "kid": ["rsa"]}, pem(issuer)),
    "the stack's own secret": lambda _: signed(),
    "expired": lambda issuer: issuer.token("rsa", issuer.rsa, "RS256", exp=NOW - HOUR),
    "for another audience": lambda issuer: issuer.token("rsa", issuer.rsa, "RS256", aud="another"),
}


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_no_forgery_opens_a_socket_where_keys_are_published(issuer: Issuer, forgery: str) -> None:
    refused(opening(FORGERIES[forgery](issuer)))


def test_keys_that_cannot_be_fetched_are_an_outage_and_no_verdict(aws: Aws, issuer: Issuer) -> None:
    with issuer.published() as url:
        pass
    token = issuer.token("rsa", issuer.rsa, "RS256")
    with (
        environment_of({**aws.environment, "TOKEN_SECRET": "", "TOKEN_JWKS_URL": url}),
        pytest.raises(Unavailable),
    ):
        authorize.handler(opening(token), None)


@pytest.mark.parametrize("told", [b"<html>down for maintenance</html>", b"[]", b'{"keys":[]}', b'{"keys":5}', b""])
def test_an_issuer_that_answers_something_else_is_an_outage_too(aws: Aws, issuer: Issuer, told: bytes) -> None:
    with (
        issuer.published(told) as url,
        environment_of({**aws.environment, "TOKEN_SECRET": "", "TOKEN_JWKS_URL": url}),
        pytest.raises(Unavailable),
    ):
        authorize.handler(opening(issuer.token("rsa", issuer.rsa, "RS256")), None)
