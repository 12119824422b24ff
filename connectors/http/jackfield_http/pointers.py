"""Look-up in JSON by pointer (RFC 6901), for declared places in a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def find(body: Any, pointer: str) -> Any:
    """Return the value at ``pointer``; None if the body has no such value. "" selects the whole
    body, and ``-`` the last item of a list.
    """
    found = body
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, Sequence) and not isinstance(found, str | bytes):
            at = (
                int(name)
                if name.isascii() and name.isdigit() and len(name) < 7
                else -1
                if name == "-"
                else len(found)
            )
            found = found[at] if -len(found) <= at < len(found) else None
        else:
            return None
    return found
