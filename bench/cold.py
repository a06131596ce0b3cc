"""What a cold start costs: each handler imported and its clients made in a fresh process, against boto3 and one client.

Each process says how many CPU seconds it has used from its first instruction of ours on. Each handler and the peer take
turns, so that what else the machine does meets both of them. The least of each is told: nothing makes a start less.

What Lambda's runtime and our layers do not have, and boto3 and PyJWT load when it is there, is not there: tokens are
signed with a shared secret, as by default.
"""

import subprocess
import sys
from collections.abc import Mapping
from typing import Final

from bench.results import Row
from local.deploy import PROJECT
from local.environment import clean
from local.template import environment, resources

ROUNDS: Final = 11
BOTO3: Final = "import boto3; boto3.client('dynamodb')"
# What each handler makes before its first call is answered; one that runs actions loads the one that is asked for.
HANDLERS: Final[Mapping[str, str]] = {
    "authorize": "from handlers import authorize; from handlers.credentials import _keys; _keys()",
    "issue_ticket": "from handlers import issue_ticket, bootstrap; bootstrap.tickets()",
    "connect": "from handlers import connect, bootstrap; bootstrap.connections()",
    "disconnect": "from handlers import disconnect, bootstrap; bootstrap.connections(); bootstrap.subscriptions()",
    "message": "from handlers import message, bootstrap as b; b.queue(); b.sockets(); b.registry().get('delay')",
    "work": "from handlers import work, bootstrap as b; b.queue(); b.work_tokens(); b.registry().get('delay')",
    "sweep": "from handlers import sweep, bootstrap; bootstrap.queue(); bootstrap.patrol()",
    "notify_subscribers": "from handlers import notify_subscribers as n; n._fan_out()",
    "project_views": "from handlers import project_views, bootstrap; bootstrap.projector()",
}
OURS: Final = (
    "a second client of AWS takes 10 to 15 ms, Powertools 12, our modules 20 to 30; docs/decisions/0047 has the rest"
)
_TIMED: Final = """import sys, time
sys.modules.update(awscrt=None, OpenSSL=None, cryptography=None)
start = time.process_time()
{}
print(time.process_time() - start)"""


def cpu_seconds(code: str, variables: Mapping[str, str]) -> float:
    """What lines of Python cost in a process of their own, from compiled files as a function's package has them."""
    told = subprocess.run(  # noqa: S603 - our own lines
        [sys.executable, "-c", _TIMED.format(code)],
        cwd=PROJECT,
        env=dict(variables),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(told.stdout)


def rows() -> list[Row]:
    """Milliseconds of CPU."""
    names = {name: name for kind in ("S3::Bucket", "SQS::Queue") for name in resources(f"AWS::{kind}")}
    tables = {name: name for name in resources("AWS::DynamoDB::Table")}
    given = environment({"TokenIssuer": "bench", **names, **tables})
    given |= {"MANAGEMENT_ENDPOINT": "http://127.0.0.1:9", "TOKEN_SECRET": "arn:aws:secretsmanager:r:1:secret:s"}
    variables = clean(**given)
    for code in (BOTO3, *HANDLERS.values()):
        cpu_seconds(code, variables)  # compiles
    # A start and the peer's right after it, for the machine is not as fast at one moment as at another.
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in HANDLERS}
    for _ in range(ROUNDS):
        for name, code in HANDLERS.items():
            pairs[name].append((1000 * cpu_seconds(code, variables), 1000 * cpu_seconds(BOTO3, variables)))
    return [
        Row(
            f"cold start of {name}",
            min(ours for ours, _ in pairs[name]),
            min(peer for _, peer in pairs[name]),
            "CPU ms",
            "ratio <= 0.333" if name == "authorize" else "ratio <= 1.3",
            OURS,
        )
        for name in HANDLERS
    ]
