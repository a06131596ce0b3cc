"""Who a caller is, as the authorizer found out: the only source of tenant, user and scopes."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.errors import Forbidden, NotFound, Unauthorized
from domain.names import is_name, require_aware

TENANT_READ: Final = "tenant:read"
TENANT_WRITE: Final = "tenant:write"
_SCOPE: Final = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class Identity:
    """A user of a tenant, until the token ends."""

    tenant_id: str
    user_id: str
    scopes: frozenset[str]
    expires_at: datetime

    def __post_init__(self) -> None:
        for name in (self.tenant_id, self.user_id):
            if not is_name(name):
                raise Unauthorized("tenant_id and sub: 1-128 of A-Z a-z 0-9 @ . _ : | + = -, first a letter or digit")
        if not all(_SCOPE.fullmatch(scope) for scope in self.scopes):
            raise Unauthorized("scope: 1-128 printable ASCII characters, none of them a space")
        require_aware("expires_at", self.expires_at)

    def require_alive(self, now: datetime) -> None:
        """Unauthorized once the token has ended: a socket must not outlive it."""
        if now >= self.expires_at:
            raise Unauthorized("the token has expired")

    def require(self, scope: str) -> None:
        """Forbidden without the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"needs the scope {scope}")

    def require_access(self, tenant_id: str, user_id: str, scope: str) -> None:
        """NotFound for what is another tenant's; Forbidden for another user's without the scope."""
        if tenant_id != self.tenant_id:
            raise NotFound
        if user_id != self.user_id:
            self.require(scope)
