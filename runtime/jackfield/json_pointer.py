"""JSON Pointers (RFC 6901): build, show and follow them."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["child", "cut", "follow", "names", "pointer", "shown"]

MAX_TOKEN = 255
"""The most characters of one name that a shown pointer carries; a file's name fits."""
MAX_NAME = 80
"""The most characters of an unknown member's name that are shown: it may be a secret pasted into the wrong place."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def child(path: str, name: str | int) -> str:
    """Build the pointer to a member or an item of what ``path`` points to."""
    token = str(name).replace("~", "~0").replace("/", "~1")
    return f"{path}/{token}"


def pointer(*steps: str | int) -> str:
    """Build a JSON Pointer from names and indexes: ``pointer("to", 0)`` is ``/to/0``."""
    path = ""
    for name in steps:
        path = child(path, name)
    return path


def names(path: str) -> list[str]:
    """Split a pointer into its names and indexes, from the root on."""
    return [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]


def cut(name: str, limit: int = MAX_NAME) -> str:
    """Cut a name to ``limit`` characters and an ellipsis."""
    return name if len(name) <= limit else name[:limit] + "…"


def shown(path: str) -> str:
    """Make a pointer fit for a Detail: valid Unicode, and no name in it longer than ``MAX_TOKEN``."""
    if len(path) > MAX_TOKEN:
        path = "/".join(cut(token, MAX_TOKEN) for token in path.split("/"))
    return path if path.isascii() else _SURROGATE.sub("\ufffd", path)


def follow(root: Any, path: str) -> Any:
    """Find what a pointer points to in a schema; it may be percent-encoded, as in the fragment of a URI.

    :raises LookupError: where it points to nothing.
    """
    from urllib.parse import unquote

    found = root
    path = unquote(path)
    if path and not path.startswith("/"):
        raise LookupError(path)
    for name in names(path):
        if isinstance(found, dict):
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and name.isascii():
            found = found[int(name)]
        else:
            raise LookupError(name)
    return found
