"""The switch for direct calls, and what an operator is told where it is off."""

from __future__ import annotations

import os
from collections.abc import Iterable

from jackfield.connector import hookimpl

SWITCH = "JACKFIELD_AWS_DIRECT"
"""Environment variable that, set to 0, lets botocore's client make all calls."""


def is_on() -> bool:
    """Return whether calls go out directly where they can."""
    return os.environ.get(SWITCH) != "0"


@hookimpl
def warn() -> Iterable[str]:
    """Warn where the switch is off: an operator may have set it for a fault that was corrected long ago."""
    if not is_on():
        yield f"{SWITCH}=0: all calls of AWS are made by botocore's client, which costs twice the CPU time"
