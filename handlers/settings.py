"""The settings: what template.yaml gives a function in its environment, read once and checked."""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any


class MissingSetting(Exception):
    """A function was deployed without a variable that it needs."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One field for each variable, which has its name in capitals."""

    events_table: str
    requests_table: str
    connections_table: str
    subscriptions_table: str
    tickets_table: str
    audit_table: str
    metrics_table: str
    limits_table: str
    payload_bucket: str
    failures_bucket: str
    work_queue_url: str
    management_endpoint: str
    token_issuer: str
    token_audience: str
    token_secret: str = ""
    token_jwks_url: str = ""
    allowed_origins: str = "*"
    queue_shards: int = 1
    retention_days: int = 7
    lease_s: int = 30
    tenant_concurrency: int = 0
    frames_per_second: int = 100
    frame_burst: int = 1000
    submits_per_second: int = 200
    submit_burst: int = 2000
    tenant_queue_depth: int = 10_000
    tenant_connections: int = 10_000

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """The settings in an environment; MissingSetting names every variable that is not there."""
        given = {field: environment[field.name.upper()] for field in fields(cls) if field.name.upper() in environment}
        missing = [f.name.upper() for f in fields(cls) if f.default is MISSING and f not in given]
        if missing:
            raise MissingSetting(", ".join(missing))
        read: Mapping[str, Any] = {f.name: int(text) if f.type is int else text for f, text in given.items()}
        return cls(**read)


@cache
def settings() -> Settings:
    """This function's settings."""
    return Settings.read(os.environ)
