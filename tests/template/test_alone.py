"""What is deployed is all that a function needs: it runs from that alone, as on Lambda, where no checkout is."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from domain.instant import to_text
from local.environment import clean
from local.needed import needed
from local.template import environment
from tests.handlers.tokens import signed
from tests.kit.tables import GIVEN
from tests.template.nothing import nothing
from tests.template.template import FUNCTIONS, ROOT, TEMPLATE, layers, of_type

pytestmark = pytest.mark.xdist_group("alone")  # one build of the layers is enough for all

# What Lambda's runtime has: boto3 and what that needs, as it is installed here.
RUNTIME: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")
# Every module that was deployed is imported, too: one that the answer did not lead to may lack something as well.
ASKED: Final = """
import importlib, json, sys
sys.path[:0] = json.loads(sys.argv[1])
class Context:
    aws_request_id = "a1"
    def get_remaining_time_in_millis(self): return 60_000
module, modules, event = sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
answer = importlib.import_module(module).handler(event, Context())
for name in modules:
    importlib.import_module(name)
sys.stderr.write(json.dumps(answer))
"""


def connection(**more: Any) -> dict[str, Any]:
    ends_at = to_text(datetime.now(UTC) + timedelta(hours=1))
    claims = {"tenant_id": "acme", "user_id": "ann", "scopes": "", "ends_at": ends_at}
    about = {"connectionId": "c-1", "messageId": "m-1", "requestId": "r", "authorizer": claims}
    return {"requestContext": about, **more}


def events() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """For each function an event, and what its answer has at least."""
    bearer = {"headers": {"authorization": f"Bearer {signed()}"}}
    arn = "arn:aws:execute-api:us-east-1:1:api/live/$connect"
    stream = "arn:aws:dynamodb:us-east-1:1:table/EventsTable/stream/2026"
    keys = {"request_id": {"S": "r"}, "version": {"N": "1"}}
    unreadable = {"SequenceNumber": "1", "Keys": keys, "NewImage": keys}
    records = {"Records": [{"eventName": "INSERT", "eventSourceARN": stream, "dynamodb": unreadable}]}
    handled: dict[str, Any] = {"batchItemFailures": []}
    return {
        "Authorize": ({"methodArn": arn, **bearer}, {"principalId": "ann"}),
        "IssueTicket": ({"requestContext": {"http": {"method": "POST"}}, **bearer}, {"statusCode": 200}),
        "Connect": (connection(), {"statusCode": 200}),
        "Disconnect": (connection(), {"statusCode": 200}),
        "Message": (connection(body='{"type":"ping"}'), {"statusCode": 200}),
        "NotifySubscribers": (records, handled),
        "ProjectViews": (records, handled),
        "Work": ({"Records": [{"messageId": "m-1", "body": "lost"}]}, handled),
        "Sweep": ({}, {"tokens_sent": 0}),
    }


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the packages of Lambda's own runtime and nothing else."""
    there = tmp_path_factory.mktemp("runtime")
    installed = Path(boto3.__file__).parents[1]
    for name in RUNTIME:
        (there / name).symlink_to(installed / name)
    return there


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with every layer, for this machine."""
    there = tmp_path_factory.mktemp("layers")
    for layer in of_type("AWS::Serverless::LayerVersion"):
        made(layer, there)
    return there


@pytest.fixture(scope="module")
def world() -> Iterator[str]:
    with nothing() as address:
        yield address


def made(target: str, to: Path) -> Path:
    """What the Makefile copies for sam, with the layers' packages for this machine."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    given = (f"ARTIFACTS_DIR={to / target}", "LAYER_PLATFORM=host", f"LAYER_PYTHON={version}")
    subprocess.run(["make", f"build-{target}", *given], cwd=ROOT, check=True, capture_output=True)  # noqa: S607
    return to / target


def asked(function: str, code: Path, built: Path, runtime: Path, world: str) -> subprocess.CompletedProcess[str]:
    """A process that finds nothing but the function's code, its layers and the runtime is asked for an answer."""
    path = [str(code), *(str(built / layer / "python") for layer in layers(function)), str(runtime)]
    event, _ = events()[function]
    modules = sorted(needed(function).modules)
    variables = {
        **environment({**GIVEN, **{name: name for name in TEMPLATE["Resources"]}}),
        "TOKEN_SECRET": "name",
        "AWS_ENDPOINT_URL": world,
        "MANAGEMENT_ENDPOINT": world,
    }
    return subprocess.run(
        [
            *(sys.executable, "-I", "-S", "-B", "-c", ASKED),
            *(json.dumps(path), FUNCTIONS[function]["Handler"].removesuffix(".handler")),
            *(json.dumps(modules), json.dumps(event)),
        ],
        env=clean(**variables),
        cwd=code,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_answers_from_its_artefact_its_layers_and_the_runtime_alone(
    function: str, built: Path, runtime: Path, tmp_path: Path, world: str
) -> None:
    code = made(function, tmp_path)
    assert sorted(str(file.relative_to(code)) for file in code.rglob("*") if file.is_file()) == needed(function).files
    done = asked(function, code, built, runtime, world)
    assert done.returncode == 0, done.stderr
    answer: Mapping[str, Any] = json.loads(done.stderr)
    _, least = events()[function]
    assert answer.items() >= least.items()


def test_published_keys_can_be_used_with_their_layer_alone(built: Path) -> None:
    told = "import sys; sys.path[:0] = sys.argv[1:]; from jwt.algorithms import has_crypto; print(has_crypto)"
    for names, usable in ((["TokensLayer"], "False"), (["TokensLayer", "KeysLayer"], "True")):
        path = [str(built / name / "python") for name in names]
        ran = [sys.executable, "-I", "-S", "-B", "-c", told, *path]
        done = subprocess.run(ran, env=clean(), capture_output=True, text=True, check=False)
        assert done.stdout.strip() == usable, done.stderr


@pytest.mark.parametrize("module", ["adapters/clock.py", "domain/connection.py"])
def test_a_module_that_was_left_out_is_missed(
    module: str, built: Path, runtime: Path, tmp_path: Path, world: str
) -> None:
    code = made("Disconnect", tmp_path)
    (code / module).unlink()
    done = asked("Disconnect", code, built, runtime, world)
    assert "ModuleNotFoundError" in done.stderr
