"""Dialling: one socket to the server, with the token in a header and never in the address."""

from collections.abc import Awaitable, Callable
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from client.errors import ClientError, ConnectionLost, ConnectRefused
from domain.protocol import FRAME_LIMIT

Token = str | Callable[[], str | Awaitable[str]]
Socket = ClientConnection

_REFUSED: Final = frozenset({401, 403})


async def dial(url: str, token: Token) -> Socket:
    """A new socket; ConnectRefused when the server does not accept the token, ConnectionLost for all else.

    No compression: API Gateway has none. What comes may be larger than what may be sent, but not without bound.
    """
    headers = {"Authorization": f"Bearer {await _token(token)}"}
    try:
        return await connect(
            url, additional_headers=headers, compression=None, max_size=2 * FRAME_LIMIT, close_timeout=2
        )
    except InvalidStatus as exc:
        status = exc.response.status_code
        error = ConnectRefused if status in _REFUSED else ConnectionLost
        raise error(url=url, status=status) from exc
    except (OSError, TimeoutError, WebSocketException) as exc:
        raise ConnectionLost(str(exc), url=url) from exc


async def _token(token: Token) -> str:
    """The token itself, or a new one from whoever provides it."""
    if isinstance(token, str):
        return token
    try:
        given = token()
        return given if isinstance(given, str) else await given
    except ClientError:
        raise
    except Exception as exc:  # whatever the caller's own function raises
        raise ConnectionLost("the token provider failed") from exc
