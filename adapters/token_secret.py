"""The secret that tokens are signed with, in Secrets Manager, read without botocore.

Importing botocore takes longer than all else that an authorizer does, and of its work only one signed request is needed
(AWS Signature Version 4; a test holds the signature to botocore's own). The secret is kept for some minutes, and while
the service is out of order for as long as it takes.

A new version of the secret makes the one before it AWSPREVIOUS. Tokens that are signed with either are good, so that
issuers can move to the new one at any time. A token that fits neither has the secret looked up again, but not often.
"""

import hmac
import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from domain.errors import Unavailable

CURRENT: Final = "AWSCURRENT"
PREVIOUS: Final = "AWSPREVIOUS"
KEPT_S: Final = 300.0
SETTLED_S: Final = 30.0  # so long no token, however wrong, has it looked up again
SHORTEST: Final = 32  # characters: as many bytes as HS256's own digest has (RFC 7518, 3.2)
_TIMEOUT_S: Final = 2.0
_TRIES: Final = 3  # well below the function's 10 s
_OK: Final = 200
_MISSING: Final = "ResourceNotFoundException"
_TYPE: Final = "application/x-amz-json-1.1"

Fetch = Callable[[str, str], str | None]


class TokenSecret:
    """A secret by its name or ARN."""

    def __init__(self, name: str, fetch: Fetch | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._fetch = fetch or fetched
        self._monotonic = monotonic
        self._known: dict[str, tuple[str | None, float]] = {}

    def current(self) -> str:
        """What tokens are signed with now; Unavailable when nobody can tell."""
        secret = self._version(CURRENT)
        if secret is None or len(secret) < SHORTEST:
            raise Unavailable(f"the token key is missing or has less than {SHORTEST} characters", operation="read key")
        return secret

    def previous(self) -> str | None:
        """What they were signed with before, if the secret was ever changed."""
        return self._version(PREVIOUS)

    def renewed(self) -> str | None:
        """The current version, if it is another one than was known."""
        known = self.current()
        return found if (found := self._version(CURRENT, SETTLED_S)) != known else None

    def _version(self, stage: str, kept_s: float = KEPT_S) -> str | None:
        now = self._monotonic()
        if stage in self._known:
            secret, since = self._known[stage]
            if now - since < kept_s:
                return secret
        try:
            secret = self._fetch(self._name, stage)
        except Unavailable:
            if stage not in self._known:
                raise
            secret, _ = self._known[stage]
        if stage == CURRENT and self._known.get(CURRENT, (secret, 0.0))[0] != secret:
            self._known.pop(PREVIOUS, None)
        self._known[stage] = (secret, now)
        return secret


def fetched(name: str, stage: str) -> str | None:
    """A version of a secret as Secrets Manager has it now; None when there is none of that stage."""
    region = os.environ["AWS_REGION"]
    host = endpoint(region)
    body = json.dumps({"SecretId": name, "VersionStage": stage}).encode()
    why = ""
    for attempt in range(_TRIES):
        time.sleep(0.1 * attempt)
        headers = signed(host, region, body, datetime.now(UTC), os.environ)
        try:
            status, answer = _posted(host, body, headers)
        except (OSError, HTTPException) as exc:
            why = type(exc).__name__
            continue
        if status == _OK:
            secret: str = answer["SecretString"]
            return secret
        why = str(answer.get("__type", status)).rpartition("#")[2]
        if why == _MISSING:
            return None
    raise Unavailable("no token key", operation="read key", code=why, stage=stage)


def endpoint(region: str) -> str:
    """Where the service is asked in a Region, unless the environment says it, as for any SDK."""
    given = os.environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or os.environ.get("AWS_ENDPOINT_URL")
    return given or f"https://secretsmanager.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")


def signed(url: str, region: str, body: bytes, now: datetime, keys: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request to read a secret."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": _TYPE,
        "host": urlsplit(url).netloc,
        "x-amz-date": stamp,
        "x-amz-target": "secretsmanager.GetSecretValue",
    }
    if token := keys.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    shown = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\n\n{shown}\n{names}\n{sha256(body).hexdigest()}"
    scope = f"{stamp[:8]}/{region}/secretsmanager/aws4_request"
    key = f"AWS4{keys['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{keys['AWS_ACCESS_KEY_ID']}/{scope}"
    authorization = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return headers | {"authorization": authorization}


def _posted(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """The status and the object that a request is answered with."""
    where = urlsplit(url)
    kind = HTTPSConnection if where.scheme == "https" else HTTPConnection
    connection = kind(where.netloc, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", "/", body, dict(headers))
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    try:
        told = json.loads(content)
    except ValueError:
        told = {}
    return answer.status, told if isinstance(told, dict) else {}
