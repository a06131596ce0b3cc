"""Downloading a result that is too large for a frame, by the link that the server gives."""

import asyncio
import time
from http.client import HTTPException, IncompleteRead
from threading import Event
from typing import Any, Final

from client.errors import UnreadableReply
from client.proxies import opened
from domain import exact_json
from domain.errors import InvalidJson
from domain.validity import LARGEST_JSON

_LONGEST_S: Final = 300
_SILENCE_S: Final = 10  # also how long a download that nobody wants any more can hold up the end of a program
_CHUNK: Final = 64 * 1024


async def downloaded(url: str) -> Any:
    """The JSON value behind a link; UnreadableReply when it cannot be had."""
    where = url.partition("?")[0]  # the rest is a secret
    if not url.startswith(("https://", "http://")):
        raise UnreadableReply("a result's link is no web address", url=where)
    given_up = Event()
    try:
        return exact_json.decode(await asyncio.to_thread(_read, url, given_up))
    except (OSError, HTTPException, ValueError, InvalidJson) as exc:
        raise UnreadableReply("the result cannot be downloaded", url=where) from exc
    finally:
        given_up.set()


def _read(url: str, given_up: Event) -> bytes:
    """What is behind a link, piece by piece: a thread cannot be cancelled, so it looks whether anybody still waits."""
    ends = time.monotonic() + _LONGEST_S
    content = bytearray()
    with opened(url, _SILENCE_S) as response:
        left: int | None = response.length
        while left != 0 and (piece := response.read1(_CHUNK)):
            content += piece
            left = None if left is None else left - len(piece)
            if len(content) > LARGEST_JSON:
                raise HTTPException("larger than any result")
            if given_up.is_set() or time.monotonic() > ends:
                raise TimeoutError
    if left:
        raise IncompleteRead(bytes(content), left)
    return bytes(content)
