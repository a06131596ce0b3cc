"""A function that was deployed without its variables says which, all at once."""

import pytest

from handlers.settings import MissingSetting, Settings
from tests.kit.tables import Aws

REQUIRED = [
    *("EVENTS_TABLE", "REQUESTS_TABLE", "CONNECTIONS_TABLE", "SUBSCRIPTIONS_TABLE", "TICKETS_TABLE", "AUDIT_TABLE"),
    *("METRICS_TABLE", "LIMITS_TABLE", "PAYLOAD_BUCKET", "FAILURES_BUCKET", "WORK_QUEUE_URL", "MANAGEMENT_ENDPOINT"),
    *("TOKEN_ISSUER", "TOKEN_AUDIENCE"),
]
WHOLE = {name: name.lower() for name in REQUIRED}


def test_every_missing_variable_is_named() -> None:
    with pytest.raises(MissingSetting) as caught:
        Settings.read({})
    assert str(caught.value).split(", ") == REQUIRED


@pytest.mark.parametrize("name", REQUIRED)
def test_a_single_missing_variable_is_named_alone(name: str) -> None:
    with pytest.raises(MissingSetting) as caught:
        Settings.read({key: value for key, value in WHOLE.items() if key != name})
    assert str(caught.value) == name


def test_what_is_given_is_read_and_numbers_are_numbers() -> None:
    read = Settings.read({**WHOLE, "QUEUE_SHARDS": "16", "LEASE_S": "7", "HOME": "/root"})
    assert (read.events_table, read.queue_shards, read.lease_s, read.retention_days) == ("events_table", 16, 7, 7)


def test_the_template_gives_a_function_everything(aws: Aws) -> None:
    assert Settings.read(aws.environment).events_table == aws.tables["Events"]
