"""Proxies: those that the environment names lead to the network, and never back to this machine."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener


def is_near(url: str) -> bool:
    """Whether an address is one of this machine; ValueError when it is no address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def opened(url: str, timeout: float, **request: Any) -> Any:
    """What a web address answers; the other arguments are those of the request."""
    opener = build_opener(ProxyHandler({})) if is_near(url) else build_opener()
    return opener.open(Request(url, **request), timeout=timeout)  # noqa: S310 - who calls has looked at the scheme
