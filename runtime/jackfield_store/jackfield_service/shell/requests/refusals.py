"""Results of invocations that a surface refuses before they reach the pipe."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.errors import JackfieldError, UnknownName


def refused(error: JackfieldError, body: object) -> Result:
    """Build the Result of a refused invocation from its ``body``, which may be incomplete."""
    queued = error.invocation_id if isinstance(error, CommitUnknown) else None
    meta = Meta(queued or new_invocation_id())
    # an unknown name may be a misplaced secret
    if isinstance(body, Mapping) and not isinstance(error, UnknownName):
        named = (body.get("connector"), body.get("action"))
        meta.connector, meta.action = (name if isinstance(name, str) else None for name in named)
    return Result("failed", meta, error=error)
