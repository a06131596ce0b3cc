"""Functions that do nothing but post: what a frame costs on the stack before anybody's code is in it.

Each says so in its log, as ours do: the emulator waits for 50 ms whether one has something to say that says nothing.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import boto3

SOCKETS = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["MANAGEMENT_ENDPOINT"])


def answer(event: Mapping[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001 - Lambda's signature
    """Answer a frame with one of a given size, which tells the sender its connection."""
    connection_id = event["requestContext"]["connectionId"]
    _post(connection_id, int(os.environ["ANSWER_BYTES"]))
    return {"statusCode": 200}


def push(event: Mapping[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Post a frame of a given size for each row, to the connection that the row names."""
    for record in event["Records"]:
        _post(record["dynamodb"]["NewImage"]["watcher"]["S"], int(os.environ["PUSH_BYTES"]))
    return {"batchItemFailures": []}


def _post(connection_id: str, size: int) -> None:
    frame = json.dumps({"connection_id": connection_id, "fill": ""})
    SOCKETS.post_to_connection(
        ConnectionId=connection_id, Data=(frame[:-2] + "x" * (size - len(frame)) + '"}').encode()
    )
    sys.stderr.write("posted\n")
    sys.stderr.flush()
