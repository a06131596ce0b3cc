"""Asking an address on this machine, past any proxy of the user's: whether it answers, and with what."""

import urllib.error
import urllib.request

_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_SECONDS = 30.0


def status_of(url: str, body: bytes | None = None) -> int | None:
    """The status that a GET, or a POST of a body, is answered with; None if nobody answers."""
    try:
        with _NO_PROXY.open(url, body, timeout=_SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as exc:
        exc.close()
        return exc.code
    except OSError:
        return None


def content_of(url: str) -> bytes:
    """What a GET is answered with.

    Errors: OSError when nobody answers, or with an error.
    """
    with _NO_PROXY.open(url, timeout=_SECONDS) as answer:
        content: bytes = answer.read()
        return content
