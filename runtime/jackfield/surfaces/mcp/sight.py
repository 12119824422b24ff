"""What the rules let a caller see: what the caller may run over one connection at least, whatever the token's scope is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jackfield.access import INLINE, PatternError, Request, Rules, decide, rule

if TYPE_CHECKING:
    from jackfield.manifest import ActionManifest, Manifest
    from jackfield.pipe.connecting import ManagedConnections
    from jackfield.surfaces.mcp.visit import Visit

__all__ = ["Sight", "connection_rows", "sight_of"]

_PAGE = 1000


class Sight:
    """Judges actions and connections by the rules of a workspace and of a token. ``connections`` are names and types, needed where a rule
    speaks of connections; of those that the rules cannot tell apart one will do."""

    def __init__(self, workspace: Rules, token: Rules, connections: tuple[tuple[str, str], ...] = ()) -> None:
        self._workspace = workspace
        self._token = token
        terms = _connection_terms(workspace, token)
        self._connections = {(kind, *(_fits(term, name) for term in terms)): (name, kind) for name, kind in connections}.values()
        self._by_connection = bool(terms)

    def allows(self, manifest: Manifest, action: ActionManifest) -> bool:
        """Whether there is a way to run the action."""
        if not self._workspace and not self._token:
            return True
        if not self._by_connection or not manifest.connection_types:
            return self._decided(manifest, action, None)
        names = (name for name, kind in self._connections if _serves(manifest, action, kind))
        return any(self._decided(manifest, action, name) for name in (INLINE, *names))

    def allows_over(self, manifest: Manifest, connection: str, kind: str) -> bool:
        """Whether some action of the connector may be run over a connection of that type."""
        serving = (action for action in manifest.actions.values() if _serves(manifest, action, kind))
        return any(self._decided(manifest, action, connection) for action in serving)

    def _decided(self, manifest: Manifest, action: ActionManifest, connection: str | None) -> bool:
        return decide(self._workspace, self._token, None, Request(manifest.key, action.key, action.effect, connection)).allowed


def _connection_terms(*rules: Rules) -> list[str]:
    """The terms of all patterns that speak of connections."""
    patterns = (pattern for item in rules for pattern in (*item.allow, *item.block))
    terms = {term.strip() for pattern in patterns for term in pattern.split("&")}
    return sorted(term for term in terms if term.startswith("connection:"))


def _fits(term: str, name: str) -> bool:
    try:
        return rule(term).fits(Request("", "", connection=name))
    except PatternError:  # stored by a newer jackfield: the pattern that it is part of cannot be read for any connection
        return False


def _serves(manifest: Manifest, action: ActionManifest, kind: str) -> bool:
    found = manifest.connection_type(kind)
    return found is not None and found.can_serve(action.key)


def sight_of(visit: Visit) -> Sight:
    """What a caller sees; asks the database."""
    workspace, token = visit.panel.permits.settings.rules, visit.caller.rules or Rules()
    if not _connection_terms(workspace, token):
        return Sight(workspace, token)
    rows = tuple((row["name"], row["type"]) for row in connection_rows(visit.panel.connections))
    return Sight(workspace, token, rows)


def connection_rows(connections: ManagedConnections, cursor: str | None = None, size: int = _PAGE) -> Iterator[dict[str, Any]]:
    """The connections of a workspace whose names follow ``cursor``, read ``size`` at a time; secrets are masked."""
    while True:
        page = connections.list(cursor, size)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
