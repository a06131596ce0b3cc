"""boto3 for the emulator: made-up credentials, and nothing of the user's own configuration."""

import os

import boto3
from botocore.config import Config
from botocore.session import Session

from local.environment import ACCESS_KEY, REGION


def session() -> boto3.Session:
    """A session whose clients need only the emulator's `endpoint_url`."""
    # Each variable: its name in the configuration, its environment variable, its default, its conversion.
    core = Session(
        {
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    core.set_default_client_config(
        Config(
            proxies={},
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=5,
            read_timeout=60,
        )
    )
    return boto3.Session(
        botocore_session=core,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=ACCESS_KEY,
    )
