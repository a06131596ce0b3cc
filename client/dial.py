"""Dialling: one socket to the server."""

from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from client.credentials import Credentials
from client.errors import ConnectionLost, ConnectRefused
from client.proxies import is_near
from domain.protocol import FRAME_LIMIT

Socket = ClientConnection

_REFUSED: Final = frozenset({401, 403})


async def dial(url: str, credentials: Credentials) -> Socket:
    """A new socket; ConnectRefused when the server does not accept the credentials, ConnectionLost for all else.

    No compression: API Gateway has none. What comes may be larger than what may be sent, but not without bound.
    """
    headers, query = await credentials.shown()
    joined = f"{url}{'&' if '?' in url else '?'}{query}" if query else url
    try:
        return await connect(
            joined,
            additional_headers=headers,
            compression=None,
            max_size=2 * FRAME_LIMIT,
            close_timeout=2,
            proxy=None if is_near(url) else True,
        )
    except InvalidStatus as exc:
        status = exc.response.status_code
        error = ConnectRefused if status in _REFUSED else ConnectionLost
        raise error(url=url, status=status) from exc
    except WebSocketException as exc:  # whose words may have the token or the ticket in them
        raise ConnectionLost(type(exc).__name__, url=url) from exc
    except (OSError, ValueError, ImportError) as exc:  # no network, no address, nothing to speak to the proxy with
        raise ConnectionLost(str(exc), url=url) from exc
