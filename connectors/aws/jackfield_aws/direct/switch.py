"""The switch for direct calls."""

from __future__ import annotations

import os

SWITCH = "JACKFIELD_AWS_DIRECT"
"""Environment variable that, set to 0, lets botocore's client make all calls."""


def is_on() -> bool:
    """Return whether calls go out directly where they can."""
    return os.environ.get(SWITCH) != "0"
