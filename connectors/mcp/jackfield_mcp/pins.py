"""Pins: the digest of a tool's accepted form, and the changes since.

Lists without an order are sorted before hashing: some servers list ``required`` in the order of a
hash table, which differs at each start. A pin of an earlier version, over the unsorted list, is
accepted as long as the order stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from jackfield.kernel.canonical import canonical
from jackfield.kernel.dataclass import dataclass
from jackfield_mcp.messages import present

MEMBERS = (
    "name",
    "title",
    "description",
    "inputSchema",
    "outputSchema",
    "annotations",
    "execution",
)
"""Members of a tool that its digest covers; icons and ``_meta`` may change."""
_SCHEMAS = ("inputSchema", "outputSchema")
_SETS = frozenset({"required", "type"})
"""Keywords whose list is an unordered set."""
_SETS_BY_NAME = frozenset({"dependentRequired", "dependencies"})
_BY_NAME = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"}
)
"""Keywords that hold schemas by name: their members are names, not keywords."""
_VALUES = frozenset({"default", "examples", "enum", "const"})
_SHORT = 16

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of a tool's members in canonical form (RFC 8785), and a short digest of each member,
    which locates a change.
    """

    whole: str
    parts: Mapping[str, str]


def pins_of(tool: Json) -> list[Digests]:
    """Return the digests under which a tool may have been accepted.

    The first is the present form, without null members and with sorted sets; the others are of
    earlier versions, if they differ.
    """
    given = present(tool)
    members = {name: given[name] for name in MEMBERS if name in given}
    ordered = members | {name: _sorted(members[name]) for name in _SCHEMAS if name in members}
    forms = [ordered] if ordered == members else [ordered, members]
    return [
        Digests(
            f"sha256:{_hashed(form)}",
            {name: _hashed(value)[:_SHORT] for name, value in form.items()},
        )
        for form in forms
    ]


def pin_of(tool: Json) -> Digests:
    """Return the digests by which a tool is accepted now."""
    return pins_of(tool)[0]


def changed(pinned: Mapping[str, str], now: Mapping[str, Collection[str]]) -> list[str]:
    """Return the members whose pinned digest does not occur among the present ones."""
    return [
        name
        for name in MEMBERS
        if (name in now or name in pinned) and pinned.get(name) not in now.get(name, ())
    ]


def _sorted(schema: Any, keyword: str = "") -> Any:
    """Return a schema with its sets sorted; ``keyword`` is the keyword that holds the schema."""
    if isinstance(schema, list):
        return _as_set(schema) if keyword in _SETS else [_sorted(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    if keyword in _SETS_BY_NAME:
        return {
            name: _as_set(one) if isinstance(one, list) else _sorted(one)
            for name, one in schema.items()
        }
    if keyword in _BY_NAME:
        return {name: _sorted(one) for name, one in schema.items()}
    return {name: one if name in _VALUES else _sorted(one, name) for name, one in schema.items()}


def _as_set(names: list[Any]) -> list[Any]:
    return sorted(dict.fromkeys(names)) if all(isinstance(one, str) for one in names) else names


def _hashed(value: Any) -> str:
    found = hashlib.sha256()
    for piece in canonical(value):
        found.update(piece)
    return found.hexdigest()
