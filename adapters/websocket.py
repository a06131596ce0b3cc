"""Posting frames to open sockets through API Gateway's management API."""

from typing import TYPE_CHECKING

from adapters.aws import translated

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient


class Sockets:
    """The open sockets of the stack."""

    def __init__(self, client: "ApiGatewayManagementApiClient") -> None:
        self._client = client

    def post(self, connection_id: str, text: str) -> None:
        """Send one frame; Gone when the socket has closed, Unavailable when it cannot be sent now."""
        with translated("post", connection_id=connection_id, bytes=len(text)):
            self._client.post_to_connection(ConnectionId=connection_id, Data=text.encode())

    def close(self, connection_id: str) -> None:
        """Close a socket; Gone when it already has."""
        with translated("close", connection_id=connection_id):
            self._client.delete_connection(ConnectionId=connection_id)
