"""JSON Pointers (RFC 6901): build, show and follow them."""

from __future__ import annotations

import re

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

MAX_TOKEN = 255
"""Maximum number of characters of one name in a shown pointer; long enough for file names."""
MAX_NAME = 80
"""Maximum number of characters shown of an unknown member's name, which may be a secret pasted into the wrong place."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def child(path: str, name: str | int) -> str:
    """Build the pointer to a member or item of the value at ``path``."""
    token = str(name).replace("~", "~0").replace("/", "~1")
    return f"{path}/{token}"


def pointer(*steps: str | int) -> str:
    """Build a JSON Pointer from names and indexes: ``pointer("to", 0)`` is ``/to/0``."""
    path = ""
    for name in steps:
        path = child(path, name)
    return path


def unescaped(token: str) -> str:
    """Return the name or index that a token of a pointer stands for."""
    return token.replace("~1", "/").replace("~0", "~")


def names(path: str) -> list[str]:
    """Split a pointer into its names and indexes, starting at the root."""
    return [unescaped(token) for token in path.split("/")[1:]]


def cut(name: str, limit: int = MAX_NAME) -> str:
    """Truncate a name to ``limit`` characters and an ellipsis."""
    return name if len(name) <= limit else name[:limit] + "…"


def shown(path: str) -> str:
    """Prepare a pointer for a Detail: valid Unicode, and no name longer than ``MAX_TOKEN``."""
    if len(path) > MAX_TOKEN:
        path = "/".join(cut(token, MAX_TOKEN) for token in path.split("/"))
    return path if path.isascii() else _SURROGATE.sub("\ufffd", path)


def follow(root: Any, path: str) -> Any:
    """Resolve a pointer in a schema; it may be percent-encoded, as in the fragment of a URI.

    :raises LookupError: if it points to nothing.
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
