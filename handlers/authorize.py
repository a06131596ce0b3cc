"""The $connect authorizer: who opens this socket."""

import logging
from collections.abc import Mapping
from typing import Any

from domain.errors import Rejected
from domain.instant import to_text
from handlers import figures
from handlers.credentials import identify
from handlers.origins import require_origin

LOG = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Let the socket open with the caller's identity as its context, or have API Gateway answer 403.

    A refusal is an answer, not an error: raising would count as a failure of this function.
    """
    try:
        require_origin(event)  # before a ticket is used up
        identity = identify(event)
    except Rejected as exc:
        LOG.warning("connect refused: %s", exc.told)
        figures.count("ConnectsRefused")
        return _policy("Deny", event["methodArn"], "nobody")
    context = {
        "tenant_id": identity.tenant_id,
        "user_id": identity.user_id,
        "scopes": " ".join(sorted(identity.scopes)),
        "ends_at": to_text(identity.expires_at),
    }
    return {**_policy("Allow", event["methodArn"], identity.user_id), "context": context}


def _policy(effect: str, method_arn: str, principal_id: str) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": method_arn}
    return {"principalId": principal_id, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
