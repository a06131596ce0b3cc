"""The environment of everything that is started here: no account, no profile and no proxy of the user's."""

import os
import sys
from pathlib import Path

REGION = "us-east-1"
ACCESS_KEY = "test"

# A user's settings under these names would send calls elsewhere, or reach into make and Python.
_FOREIGN = ("AWS_", "SAM_", "LAMBDA_", "LOCALSTACK_", "MINISTACK_", "MAKE", "MFLAGS", "PYTHON")


def clean(**settings: str) -> dict[str, str]:
    """Return this process's environment without foreign settings, with made-up credentials and what is asked for."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) and not name.lower().endswith("_proxy")
    }
    return kept | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        "NO_PROXY": "*",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **settings,
    }
