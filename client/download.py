"""Downloading a result that is too large for a frame, by the link that the server gives."""

import asyncio
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import urlopen

from client.errors import UnreadableReply
from domain import exact_json
from domain.errors import InvalidJson

_TIMEOUT_S: Final = 60


async def downloaded(url: str) -> Any:
    """The JSON value behind a link; UnreadableReply when it cannot be had."""
    where = urlsplit(url)._replace(query="").geturl()  # the query is a secret
    if not url.startswith(("https://", "http://")):
        raise UnreadableReply("a result's link is no web address", url=where)
    try:
        return exact_json.decode(await asyncio.to_thread(_read, url))
    except (OSError, HTTPException, InvalidJson) as exc:
        raise UnreadableReply("the result cannot be downloaded", url=where) from exc


def _read(url: str) -> bytes:
    with urlopen(url, timeout=_TIMEOUT_S) as response:  # noqa: S310 - the scheme was looked at
        content: bytes = response.read()
        return content
