"""Warnings for operators about a process's settings (a jackfield plugin, hook ``warn``). A separate
module, so that calls do not import pluggy.
"""

from __future__ import annotations

from collections.abc import Iterable

from jackfield.connector import hookimpl
from jackfield_aws.direct.switch import SWITCH, is_on


@hookimpl
def warn() -> Iterable[str]:
    """Warn if direct calls are off: an operator may have turned them off for a fault that was
    corrected since.
    """
    if not is_on():
        yield (
            f"{SWITCH}=0: all calls of AWS are made by boto3's client, which costs twice the "
            "CPU time"
        )
