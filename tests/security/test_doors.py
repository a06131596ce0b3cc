"""A ticket lets one in however many use it, a page of another origin gets none, a link opens one object for a while."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from actions.outcomes import Permanent
from adapters.ticket_store import TicketStore
from adapters.work_files import WorkFiles
from domain.identity import Identity
from handlers import authorize, bootstrap
from local.template import resources
from tests.adapters.racing import race
from tests.adapters.wrapped import Wrapped
from tests.handlers.tokens import KEY, forged
from tests.kit.clock import FakeClock
from tests.kit.tables import Aws, on_moto
from tests.security.house import ARN, House

RACERS = 16
HOUR_S = 3600


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with on_moto() as made:
        yield made


def test_of_sixteen_that_open_a_socket_with_one_ticket_at_once_one_gets_in(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Wrapped(aws.dynamodb)
    clock = FakeClock(datetime.now(UTC))
    tickets = TicketStore(client, aws.tables["Tickets"])  # type: ignore[arg-type]
    monkeypatch.setattr(bootstrap, "CLOCK", clock)
    monkeypatch.setattr(bootstrap, "tickets", lambda: tickets)
    ticket = tickets.issue(Identity("acme", "ann", frozenset(), clock.now() + timedelta(hours=1)), clock.now())
    event = {"methodArn": ARN, "headers": {}, "queryStringParameters": {"ticket": ticket}}
    answers = race([lambda: authorize.handler(event, None)] * RACERS, client, before="update_item")
    effects = [answer["policyDocument"]["Statement"][0]["Effect"] for answer in answers]
    assert sorted(effects) == ["Allow", *["Deny"] * (RACERS - 1)]


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}},
        {"alg": "HS256", "jku": "https://attacker.invalid/keys.json"},
        {"alg": "HS256", "x5u": "https://attacker.invalid/cert.pem"},
        {"alg": "HS256", "kid": "../../dev/null"},
        {"alg": "HS256", "kid": "' UNION SELECT 'key"},
    ],
)
def test_a_token_does_not_bring_its_own_key(header: dict[str, object]) -> None:
    house = House()
    with house.open():
        for secret in (b"\x00", b"", b"key"):
            answer = house.authorize({"Authorization": f"Bearer {forged(header, secret)}"})
            assert answer["principalId"] == "nobody"
        assert house.authorize({"Authorization": f"Bearer {forged({'alg': 'HS256'}, KEY)}"})["principalId"] == "ann"


def test_sockets_tickets_and_files_are_for_pages_of_origins_that_are_a_parameter() -> None:
    functions, buckets = resources("AWS::Serverless::Function"), resources("AWS::S3::Bucket")
    tickets = functions["IssueTicket"]["FunctionUrlConfig"]["Cors"]
    assert tickets["AllowOrigins"] == {"Ref": "AllowedOrigins"}
    assert tickets["AllowMethods"] == ["POST"]
    assert tickets["AllowHeaders"] == ["authorization"]
    assert "AllowCredentials" not in tickets
    [files] = buckets["PayloadBucket"]["CorsConfiguration"]["CorsRules"]
    assert files["AllowedOrigins"] == {"Ref": "AllowedOrigins"}
    assert files["AllowedMethods"] == ["GET"]
    for name in ("Authorize", "IssueTicket"):
        seen = functions[name]["Environment"]["Variables"]["ALLOWED_ORIGINS"]
        assert seen == {"Join": [",", {"Ref": "AllowedOrigins"}]}


def test_a_link_opens_one_object_to_be_read_for_an_hour_at_most(aws: Aws) -> None:
    assert aws.payload_bucket
    files = WorkFiles(bootstrap.objects, "acme", "ann", "r-1", 1)
    link = urlsplit(files.link(files.write("report.html", b"x", "text/html")))
    asked = parse_qs(link.query)
    assert link.path.endswith("/acme/ann/r-1/1/report.html")
    assert int(asked["X-Amz-Expires"][0]) <= HOUR_S
    assert asked["X-Amz-SignedHeaders"] == ["host"]


@pytest.mark.parametrize(
    "key",
    [
        *(
            "umbrella/bella/r-1/payload.json",
            "acme/bob/r-1/payload.json",
            "acme/annabel/x",
            "acme/ann",
            "",
            "/acme/ann/x",
        ),
        *("acme/ann/../bob/x", "acme/ann/../../umbrella/x", "acme/ann/x/..", "../acme/ann/x"),
    ],
)
def test_no_action_reads_or_links_what_is_outside_its_users_folder(aws: Aws, key: str) -> None:
    assert aws.payload_bucket
    files = WorkFiles(bootstrap.objects, "acme", "ann", "r-1", 1)
    for door in (files.read, files.link):
        with pytest.raises(Permanent):
            door(key)
