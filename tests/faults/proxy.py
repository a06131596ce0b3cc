"""microburst between the functions and an engine: it speaks AWS's protocols, and breaks what passes by rules."""

import http.client
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from local.emulator import free_port
from local.environment import clean
from local.errors import EmulatorFailed
from local.probe import status_of
from local.process_group import end_group
from local.waiting import until

Rule = Mapping[str, Any]
Rules = Sequence[tuple[str, Rule]]  # each with the kind of fault that it makes

_WRITES: Final = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")
_START_S: Final = 30.0
# Its faults come from Python's own random, which it does not seed.
_SEEDED: Final = "import random, sys; random.seed(sys.argv.pop(1)); from microburst.cli import main; sys.exit(main())"


def _rule(service: str, probability: float, operation: str | None = None, **fault: Any) -> Rule:
    return {"service": service, "operation": operation, "probability": probability, **fault}


def _error(code: str, status: int, **fields: Any) -> Rule:
    return {"error": {"code": code, "status": status, "message": "made up", "fields": fields}}


def _certain(rule: Rule) -> Rule:
    """That it strikes the first call it is for: what is rare would be missing in some runs."""
    return {**rule, "probability": 1.0, "times": 1}


_CUT: Final[Rule] = {"response": {"abort_frac": 0.3}}  # the engine has done it, and most of its answer is lost
_COLLISION: Final = _error("TransactionCanceledException", 400, CancellationReasons=[{"Code": "TransactionConflict"}])

TABLES: Final[Rules] = [
    *(("answers of writes lost", _rule("dynamodb", 0.09, name, **_CUT)) for name in _WRITES),
    ("answers of reads lost", _rule("dynamodb", 0.02, **_CUT)),
    ("transactions collided", _rule("dynamodb", 0.08, "TransactWriteItems", **_COLLISION)),
    ("throttled", _rule("dynamodb", 0.03, **_error("ProvisionedThroughputExceededException", 400))),
    ("server errors", _rule("dynamodb", 0.02, **_error("InternalServerError", 500))),
    ("connections reset", _rule("dynamodb", 0.02, reset=True)),
    ("timed out", _rule("dynamodb", 0.004, timeout_ms=2500)),
    ("slow", _rule("dynamodb", 0.04, latency={"min": 50, "max": 500})),
]
OTHERS: Final[Rules] = [
    ("queue: answers lost", _rule("sqs", 0.08, "SendMessageBatch", **_CUT)),
    ("queue: errors", _rule("sqs", 0.08, **_error("ServiceUnavailable", 503))),
    ("bucket: answers lost", _rule("s3", 0.4, "PutObject", **_CUT)),
    ("bucket: errors", _rule("s3", 0.2, **_error("SlowDown", 503))),
]
OUTAGE: Final = "outages of the tables"


class Proxy:
    """One that runs."""

    def __init__(self, url: str, rules: Rules) -> None:
        self.url = url
        self._kinds: dict[int, str] = {}
        self._ask("DELETE", "rules", [])
        self._add([(kind, _certain(rule)) for kind, rule in rules])
        self._add(rules)

    def fail_for(self, seconds: float) -> None:
        """Answer nothing but that the tables are out of order, for a while."""
        self._add([(OUTAGE, _rule("dynamodb", 1.0, ttl_s=seconds, **_error("InternalServerError", 500)))])

    def calm(self) -> None:
        """Break nothing any more."""
        self._ask("DELETE", "rules", [])

    def fired(self) -> Counter[str]:
        """How often each kind of fault struck."""
        fired = Counter(dict.fromkeys(self._kinds.values(), 0))
        for rule in self._ask("GET", "stats")["by_rule"]:
            fired[self._kinds[rule["id"]]] += rule["fired"]
        return fired

    def calls(self) -> int:
        """How many calls came by."""
        return int(self._ask("GET", "stats")["requests"]["total"])

    def _add(self, rules: Rules) -> None:
        made = self._ask("PATCH", "rules", [rule for _, rule in rules])
        self._kinds |= {one["id"]: kind for one, (kind, _) in zip(made, rules, strict=True)}

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        line = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_START_S)
        try:
            line.request(method, f"/_microburst/{path}", None if body is None else json.dumps(body))
            answer = line.getresponse()
            told = json.loads(answer.read())
        finally:
            line.close()
        if answer.status != HTTPStatus.OK:
            raise ValueError(told)
        return told


@contextmanager
def proxied(upstream: str, rules: Rules, seed: str, directory: Path) -> Iterator[Proxy]:
    """Run one before an engine; it ends with the block. Errors: EmulatorFailed."""
    port = free_port()
    log = directory / f"proxy-{port}.log"
    options = ["--host", "127.0.0.1", "--port", str(port), "--upstream", upstream, "--no-resign"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _SEEDED, seed, *options],
            env=clean(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        health = f"{url}/_microburst/health"
        until(lambda: status_of(health) == HTTPStatus.OK or process.poll() is not None, seconds=_START_S)
        if process.poll() is not None:
            raise EmulatorFailed("The fault proxy did not start.", log)
        yield Proxy(url, rules)
    finally:
        end_group(process.pid)
        process.wait()
