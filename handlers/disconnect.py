"""$disconnect: the socket has closed. Best effort on AWS, so a post that finds it gone and the sweeper do the same."""

from collections.abc import Mapping
from typing import Any

from handlers import bootstrap


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:  # noqa: ARG001 - Lambda's signature
    """Remove the row; its stream record takes the subscriptions with it."""
    bootstrap.connections().delete(event["requestContext"]["connectionId"])
    return {"statusCode": 200}
