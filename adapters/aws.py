"""AWS's clients with explicit retries and timeouts, and its errors in our words, told apart by their code only.

They are made by botocore itself: boto3 makes the very same ones, and loading it as well is a tenth of a cold start.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from adapters.signatures import Signer
from domain.errors import Gone, StreamerError, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

# Worst case well below the shortest function timeout that uses them (10 s): 3 tries of 2 s and the waits between.
QUICK: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=1,
    read_timeout=2,
    max_pool_connections=32,
    # botocore would compare each call with its model, a sixth of a large one's CPU time; AWS does so anyway.
    parameter_validation=False,
)
PATIENT: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=2,
    read_timeout=20,
    # Of the links too: newer Regions refuse the older signature, and only this style signs a Region's own host.
    signature_version="s3v4",
    s3={"addressing_style": "virtual"},
)

CONDITION_FAILED: Final = "ConditionalCheckFailedException"
TRANSACTION_CANCELLED: Final = "TransactionCanceledException"
TRANSACTION_CONFLICT: Final = "TransactionConflict"
REASON_CONDITION_FAILED: Final = "ConditionalCheckFailed"  # of one write among a transaction's
_GONE: Final = frozenset({"GoneException", "410"})


@cache
def session() -> Session:
    """What all clients of this process share: credentials, the Region, and the models of AWS's services."""
    return Session()


def dynamodb() -> "DynamoDBClient":
    """The client of every table."""
    return cast("DynamoDBClient", session().create_client("dynamodb", config=QUICK))


def sqs() -> "SQSClient":
    """The client of the work queue."""
    return cast("SQSClient", session().create_client("sqs", config=QUICK))


def s3() -> "S3Client":
    """The client of the bucket."""
    return cast("S3Client", session().create_client("s3", config=PATIENT))


# One slow client must not hold up the others: what it misses it asks for.
BRIEF: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=1, read_timeout=1, max_pool_connections=32
)


def sockets(endpoint: str) -> "ApiGatewayManagementApiClient":
    """The client that posts to open connections."""
    return cast(
        "ApiGatewayManagementApiClient",
        session().create_client("apigatewaymanagementapi", endpoint_url=endpoint, config=BRIEF),
    )


def signer(endpoint: str) -> Signer:
    """What signs the posts to open connections, with the credentials that every client uses."""
    credentials, region = session().get_credentials(), session().get_config_variable("region")
    if credentials is None or region is None:
        raise Unavailable("no credentials or no Region", operation="sign")
    return Signer(endpoint, region, credentials.get_frozen_credentials)


def code_of(error: ClientError) -> str:
    """AWS's code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def translated(operation: str, **context: Any) -> Iterator[None]:
    """Raise what AWS or the way to it raises as Unavailable (or Gone), with what was being done."""
    try:
        yield
    except ClientError as exc:
        code = code_of(exc)
        kind: type[StreamerError] = Gone if code in _GONE else Unavailable
        raise kind(operation=operation, code=code, **context) from exc
    except BotoCoreError as exc:
        raise Unavailable(type(exc).__name__, operation=operation, **context) from exc
