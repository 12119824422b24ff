"""Results of what a surface refuses before the pipe sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jackfield.errors import UnknownName
from jackfield.invocation import Meta, Result, new_invocation_id

if TYPE_CHECKING:
    from jackfield.errors import JackfieldError

__all__ = ["refused"]


def refused(error: JackfieldError, body: object) -> Result:
    """The Result of an invocation that is refused; ``body`` is what there is of it."""
    meta = Meta(new_invocation_id())
    if isinstance(body, Mapping) and not isinstance(error, UnknownName):  # a name of nothing that there is may be a secret, by mistake
        named = (body.get("connector"), body.get("action"))
        meta.connector, meta.action = (name if isinstance(name, str) else None for name in named)
    return Result("failed", meta, error=error)
