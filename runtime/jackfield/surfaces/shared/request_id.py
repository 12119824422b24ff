"""Request id carried by every response: the caller's own, or a generated one."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

__all__ = ["request_id"]

_GOOD = re.compile(rb"[A-Za-z0-9._-]{1,100}\Z")


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the request id from these headers, whose names are in lower case."""
    given = dict(headers).get(b"x-request-id", b"")
    return given if _GOOD.match(given) else uuid.uuid4().hex.encode()
