"""Tokens, good and forged, and an issuer that publishes its keys on this machine."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.kit.tables import GIVEN, TOKEN_KEY

KEY = TOKEN_KEY
LEFT_OUT = object()


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a good token, with changes; LEFT_OUT takes one away."""
    now = int(datetime.now(UTC).timestamp())
    good = {"iss": GIVEN["TokenIssuer"], "aud": "streamer", "sub": "ann", "tenant_id": "acme", "iat": now}
    told = {**good, "exp": now + 3600, "scope": "tenant:write tenant:read", **changes}
    return {name: value for name, value in told.items() if value is not LEFT_OUT}


def signed(secret: str = KEY, **changes: Any) -> str:
    """A token that is signed with a secret."""
    return jwt.encode(claims(**changes), secret, "HS256")


def forged(header: Mapping[str, Any], secret: bytes | str = b"", **changes: Any) -> str:
    """A token of any header whatever, its signature an HMAC with any secret whatever."""
    parts = [_encoded(json.dumps(part).encode()) for part in (header, claims(**changes))]
    key = secret.encode() if isinstance(secret, str) else secret
    signature = hmac.new(key, ".".join(parts).encode(), hashlib.sha256).digest() if key else b""
    return ".".join([*parts, _encoded(signature)])


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Issuer:
    """An issuer with an RSA and an EC key."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.shared = b"an octet key that nobody should publish"
        self.keys: list[dict[str, Any]] = [
            {**json.loads(RSAAlgorithm.to_jwk(self.rsa.public_key())), "kid": "rsa", "use": "sig"},
            {**json.loads(ECAlgorithm.to_jwk(self.ec.public_key())), "kid": "ec", "use": "sig"},
            {"kty": "oct", "k": _encoded(self.shared), "kid": "oct", "use": "sig"},
        ]

    def token(self, kid: str, key: Any, algorithm: str, **changes: Any) -> str:
        """A token with a key id, signed with any key."""
        return jwt.encode(claims(**changes), key, algorithm, headers={"kid": kid})

    @contextmanager
    def published(self, body: bytes | None = None) -> Iterator[str]:
        """Serve the public keys, or something else; gives the address."""
        told = json.dumps({"keys": self.keys}).encode() if body is None else body

        class Keys(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/jwks.json"
            finally:
                server.shutdown()
                thread.join()
