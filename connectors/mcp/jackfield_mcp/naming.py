"""Keys of actions from names of tools: unique, in camelCase, and stable by the lock."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

READ, LIST = "resources/read", "resources/list"
"""Methods that read a resource and list resources; the manifest lists them among the tools."""
REQUESTS = {READ: "readResource", LIST: "listResources"}
"""Keys of the actions for ``READ`` and ``LIST``."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[A-Z]")
_LONGEST = 60


def keys_of(names: Iterable[str], locked: Mapping[str, str]) -> dict[str, str]:
    """Return the key of each tool by its name; keys in ``locked`` stay."""
    found = {name: locked[name] for name in names if name in locked}
    taken = {*locked.values()}
    for name in names:
        if name in found:
            continue
        key = wished = key_of(name)
        number = 2
        while key in taken:
            key, number = f"{wished}{number}", number + 1
        taken.add(key)
        found[name] = key
    return found


def key_of(name: str) -> str:
    """Return the key for a tool's name; the keys of ``READ`` and ``LIST`` are fixed."""
    if name in REQUESTS:
        return REQUESTS[name]
    words = [one.lower() for one in _WORD.findall(name)] if name.isascii() else []
    if not any(word.isalpha() for word in words):
        return f"tool{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    key = words[0] + "".join(word.capitalize() for word in words[1:])
    key = f"n{key}" if key[0].isdigit() else key
    return key[:_LONGEST]


def title_of(name: str) -> str:
    """Return a title in words from a tool's name."""
    words = [one.lower() for one in _WORD.findall(name)] or [name]
    return " ".join(words).capitalize()


def connector_key(url: str) -> str:
    """Return a connector's key from the part of its server's host that names the service."""
    host = urlsplit(url).hostname or ""
    parts = (
        [part for part in host.split(".") if part not in ("www", "mcp", "api")]
        if ":" not in host and not re.fullmatch(r"[0-9.]+", host)
        else []
    )
    named = parts[-2] if len(parts) > 1 else parts[0] if parts else "mcp-server"
    key = re.sub(r"[^a-z0-9]+", "-", named.lower()).strip("-")
    return key if key and key[0].isalpha() else f"mcp-{key or 'server'}"
