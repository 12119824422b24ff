"""Names of the tools that MCP lists for actions.

Clients refuse a tool whose name does not match ``[a-zA-Z0-9_-]{1,64}``, some even its whole server.
A name follows from connector and action alone, so it stays the same across restarts and other
installed connectors. Actions' keys have no ``_``, so the last ``_`` separates the two.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from jackfield.kernel.errors import UnknownName

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.manifest.manifest import ActionManifest

LOOKING = frozenset(
    {"search_actions", "get_action_guide", "list_connections", "read_events", "read_result"}
)
"""Names of the tools that run no action."""
RESERVED = LOOKING | {"execute_action"}
"""Names of our own tools."""
_LONGEST = 64
_KEPT = 55
"""Number of characters before the digest of a shortened name."""
_DIGITS = 8
_CUT = re.compile(rf"(.{{1,{_KEPT}}})_[0-9a-f]{{{_DIGITS}}}")

_NAME = re.compile(r"[A-Za-z0-9_-]+_[A-Za-z0-9]+")


def tool_name(connector: str, action: str) -> str:
    """Return the name of an action's tool; a name that is too long, or belongs to one of our own
    tools, ends in a digest of both keys.
    """
    name = uncut(connector, action)
    if len(name) <= _LONGEST and name not in RESERVED:
        return name
    digest = hashlib.sha256(f"{connector}.{action}".encode()).hexdigest()[:_DIGITS]
    return f"{name[:_KEPT]}_{digest}"


def uncut(connector: str, action: str) -> str:
    """Return the unshortened name of an action's tool, by which tools are sorted."""
    return f"{connector.replace('.', '_')}_{action}"


def may_continue_after(name: str) -> bool:
    """Return whether a list of tools may continue after ``name``: the tool of an action, although
    the action may be gone.
    """
    return len(name) <= _LONGEST and name not in RESERVED and _NAME.fullmatch(name) is not None


def place_of(catalog: Catalog, name: str) -> str:
    """Return the unshortened name of a tool, after which a list continues; ``name`` itself if no
    action has it any more.
    """
    found = named(catalog, name) if name else None
    return name if found is None else uncut(found[0], found[1].key)


def named(catalog: Catalog, name: str) -> tuple[str, ActionManifest] | None:
    """Return the connector's key and the action of a tool; None if no action has such a tool.
    ``connector.action`` is valid, too.
    """
    connector, _, key = name.rpartition("." if "." in name else "_")
    connector = connector.replace("_", ".")  # no key has a "_"
    found = None if name in RESERVED else _action(catalog, connector, key)
    return (connector, found) if found is not None else _shortened(catalog, name)


def _action(catalog: Catalog, connector: str, key: str) -> ActionManifest | None:
    try:
        return catalog.find(connector).actions.get(key)
    except UnknownName:
        return None


def _shortened(catalog: Catalog, name: str) -> tuple[str, ActionManifest] | None:
    found = _CUT.fullmatch(name)
    if found is None:
        return None
    for key in catalog:
        if not found[1].startswith(uncut(key, "")[:_KEPT]):
            continue
        manifest = catalog.look(key)[1]
        for action in () if manifest is None or manifest.virtual else manifest.actions.values():
            if tool_name(key, action.key) == name:
                return key, action
    return None
