"""The wire format: an Invocation in, a Result out (docs/reference/invocation.md and
docs/reference/result.md).
"""

from jackfield.invocation.request import DEFAULT_TIMEOUT, MAX_TIMEOUT, Invocation, patience_of
from jackfield.invocation.result import Enqueued, Meta, Result, Status, new_invocation_id
from jackfield.invocation.wire import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_VALUES,
    check_depth,
    check_values,
    decode,
)

__all__ = [
    "DEFAULT_TIMEOUT",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_TIMEOUT",
    "MAX_VALUES",
    "Enqueued",
    "Invocation",
    "Meta",
    "Result",
    "Status",
    "check_depth",
    "check_values",
    "decode",
    "new_invocation_id",
    "patience_of",
]
