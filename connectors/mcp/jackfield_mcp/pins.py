"""Pins: the digest of a tool's accepted form, and the changes since."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from jackfield.kernel.canonical import canonical
from jackfield_mcp.messages import present

MEMBERS = ("name", "title", "description", "inputSchema", "outputSchema", "annotations", "execution")
"""Members of a tool that its digest covers; icons and ``_meta`` are free."""
_SHORT = 16

Json = Mapping[str, Any]


def digest_of(tool: Json) -> str:
    """Return the digest of a tool: SHA-256 over its members in canonical form (RFC 8785), without null members."""
    given = present(tool)
    return f"sha256:{_hashed({name: given[name] for name in MEMBERS if name in given})}"


def parts_of(tool: Json) -> dict[str, str]:
    """Return a short digest of each member, by which a change is located."""
    given = present(tool)
    return {name: _hashed(given[name])[:_SHORT] for name in MEMBERS if name in given}


def changed(pinned: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the members whose digests differ from the pinned ones."""
    return [name for name in MEMBERS if pinned.get(name) != now.get(name)]


def _hashed(value: Any) -> str:
    found = hashlib.sha256()
    for piece in canonical(value):
        found.update(piece)
    return found.hexdigest()
