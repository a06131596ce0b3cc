"""Signing posts to the sockets' management API: AWS Signature Version 4, for this one kind of request.

botocore signs anything, and needs as much time for it as for the rest of a post. Of what it does, the key of the day
and the hash of a frame that many get are the same for all of them: here they are made once. A test holds every
signature to botocore's own.
"""

import hmac
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from msgspec import Struct

SERVICE: Final = "execute-api"


class Keys(Protocol):
    """What botocore knows credentials as, frozen at a moment."""

    @property
    def access_key(self) -> str | None:
        """Whose they are."""

    @property
    def secret_key(self) -> str | None:
        """What signs."""

    @property
    def token(self) -> str | None:
        """What temporary ones are shown with."""


class Body(Struct, frozen=True):
    """A frame with what its signatures need of it."""

    content: bytes
    digest: str

    @classmethod
    def of(cls, text: str) -> "Body":
        """The body that carries a frame."""
        content = text.encode()
        return cls(content, sha256(content).hexdigest())


class Signer:
    """Makes the requests that post to a stage's connections. `keys` gives the credentials of the moment."""

    def __init__(self, endpoint: str, region: str, keys: Callable[[], Keys]) -> None:
        self.endpoint = endpoint
        self.region = region
        self.keys = keys
        self._day = ("", "", b"")
        where = urlsplit(endpoint)
        # A port that the scheme implies is not part of the host that is signed.
        implied = {"http": 80, "https": 443}.get(where.scheme)
        self.host = where.netloc if where.port != implied else str(where.hostname)
        self._path = f"{where.path.rstrip('/')}/@connections/"

    def batch(self, now: datetime) -> "Batch":
        """What signs the posts of the next minutes."""
        keys = self.keys()
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self.region}/{SERVICE}/aws4_request"
        return Batch(self.host, self._path, stamp, scope, keys, self._key(str(keys.secret_key), stamp[:8]))

    def _key(self, secret: str, day: str) -> bytes:
        if self._day[:2] != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self.region, SERVICE, "aws4_request"):
                key = _hmac(key, part)
            self._day = (secret, day, key)
        return self._day[2]


class Batch:
    """Signs posts with one instant and one set of credentials."""

    def __init__(self, host: str, path: str, stamp: str, scope: str, keys: Keys, key: bytes) -> None:
        names = "host;x-amz-date;x-amz-security-token" if keys.token else "host;x-amz-date"
        shown = f"x-amz-security-token:{keys.token}\n" if keys.token else ""
        self._path = path
        # In what is signed the path is encoded once more than in the request: the rule for all services but S3.
        self._signed_path = quote(path, safe="/~")
        self._headers = f"host:{host}\nx-amz-date:{stamp}\n{shown}\n{names}\n"
        self._to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n"
        self._key = hmac.new(key, digestmod=sha256)
        self._head = (
            f"Host: {host}\r\nX-Amz-Date: {stamp}\r\n"
            + (f"X-Amz-Security-Token: {keys.token}\r\n" if keys.token else "")
            + f"Authorization: AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature="
        )

    def request(self, connection_id: str, body: Body) -> bytes:
        """The whole HTTP request that posts a frame to a connection."""
        name = quote(connection_id, safe="~")
        canonical = f"POST\n{self._signed_path}{quote(name, safe='~')}\n\n{self._headers}{body.digest}"
        signature = self._key.copy()
        signature.update((self._to_sign + sha256(canonical.encode()).hexdigest()).encode())
        head = (
            f"POST {self._path}{name} HTTP/1.1\r\n{self._head}{signature.hexdigest()}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {len(body.content)}\r\n\r\n"
        )
        return head.encode() + body.content


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
