"""Getting tickets: a token is posted to the ticket URL, and what comes back opens one socket within half a minute."""

from collections.abc import Callable
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError

from client.errors import ConnectionLost, ConnectRefused
from client.proxies import opened
from domain import exact_json
from domain.errors import InvalidJson

_TIMEOUT_S: Final = 10
_REFUSED: Final = frozenset({401, 403})


def tickets_from(url: str, token: str | Callable[[], str]) -> Callable[[], str]:
    """A provider of tickets from a stack's ticket URL, for a token or for whoever gives one."""

    def ticket() -> str:
        shown = token if isinstance(token, str) else token()
        try:
            with opened(url, _TIMEOUT_S, method="POST", headers={"Authorization": f"Bearer {shown}"}) as response:
                return str(exact_json.decode(response.read())["ticket"])
        except HTTPError as exc:
            kind = ConnectRefused if exc.code in _REFUSED else ConnectionLost
            raise kind("no ticket", url=url, status=exc.code) from exc
        except (OSError, HTTPException, InvalidJson, KeyError, TypeError) as exc:
            raise ConnectionLost("no ticket", url=url) from exc

    if not url.startswith(("https://", "http://")):
        raise ValueError("a ticket URL is a web address")
    return ticket
