"""Connections as people and programs may see them (contract §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jackfield.connections import STORE
from jackfield.redaction import masked

if TYPE_CHECKING:
    from jackfield.connections import StoredConnection
    from jackfield.connections.kept import KeptConnection, Outcome
    from jackfield.pipe.kinds import Kinds

__all__ = ["ConnectionPage", "shown_from_file", "shown_from_store"]


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """Some of the connections, by name; ``next_cursor`` is what to ask the next ones with, None behind the last."""

    items: tuple[dict[str, Any], ...]
    next_cursor: str | None

    def to_json(self) -> dict[str, Any]:
        """The page as JSON."""
        return {"items": list(self.items), "nextCursor": self.next_cursor}


def shown_from_file(stored: StoredConnection, kinds: Kinds, outcome: Outcome | None = None) -> dict[str, Any]:
    """Show a file's connection, its secrets masked, with the outcome of its last test."""
    about = {"version": stored.version, "source": stored.source, **(outcome.to_json() if outcome else {"status": "untested"})}
    return {**_shown(stored.name, stored.type, stored.values, kinds), **about}


def shown_from_store(kept: KeptConnection, kinds: Kinds) -> dict[str, Any]:
    """A stored connection, its secrets masked, with what its last test came to."""
    about = {"version": kept.version, "source": STORE, **kept.outcome.to_json()}
    problem = {"problem": kept.damage} if kept.damage is not None else {}
    return {**_shown(kept.name, kept.type, kept.public, kinds), **about, **problem}


def _shown(name: str, type_: str, values: Mapping[str, Any], kinds: Kinds) -> dict[str, Any]:
    """Masked by the type's schema; without a schema, whole."""
    kind = kinds.known(type_)
    return {"name": name, "type": type_, "values": masked(kind.schema, values) if kind is not None else dict.fromkeys(values, "***")}
