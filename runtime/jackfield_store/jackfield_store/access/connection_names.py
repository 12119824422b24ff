"""Earlier names of stored connections, according to the audit log.

The journal stores the name that a connection had at the time of a call. Meanwhile the connection
may have been renamed, and its old name given to another connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from jackfield.kernel.clock import iso
from jackfield.kernel.stored_values import like_literal, parsed_object
from jackfield_store.database import Database, Row

_NAMING = "event IN ('connection.created', 'connection.renamed', 'connection.removed')"
"""Condition of the index ``audit_entries_names``, word for word."""
_MOST = 100
"""Maximum number of changes of one name that are read, latest first."""
_HOPS = 20
"""Maximum number of renames that are followed."""
_OF_NAME = f"""
SELECT sequence, event, entry FROM audit_entries
WHERE workspace = :workspace AND object = :object AND {_NAMING} ORDER BY sequence DESC LIMIT {_MOST}
"""
_TO_NAME = f"""
SELECT object, entry FROM audit_entries
WHERE workspace = :workspace AND {_NAMING} AND event = 'connection.renamed' AND entry LIKE :to ESCAPE '!'
ORDER BY object, sequence LIMIT {_MOST}
"""
_PREFIX = "connection:"


class _Change(NamedTuple):
    """Change of a name's owner: its place in the log, its time as RFC 3339 text, and the new name
    of a renamed connection.
    """

    sequence: int
    at: str
    to: str | None


class ConnectionNames:
    """Names of the connections of one workspace over time. An instance caches the changes of each
    name, so it serves one page only.
    """

    def __init__(self, database: Database, workspace: str) -> None:
        self._database, self._workspace = database, workspace
        self._known: dict[str, list[_Change]] = {}

    def present(self, name: str, at: float) -> str | None:
        """Return the current name of the connection that had ``name`` at a time (seconds since
        1970); None if it was removed, or its name is unknown.
        """
        moment, after = iso(at) or "", 0
        for _ in range(_HOPS):
            since = [
                change
                for change in self._changes(name)
                if change.at > moment and change.sequence > after
            ]
            if not since:
                return name
            first = since[-1]
            if len(since) == _MOST or first.to is None:
                return None
            name, moment, after = first.to, "", first.sequence
        return None

    def former(self, name: str) -> list[str]:
        """Return the former names of the connections that were renamed to ``name``."""
        values = {"workspace": self._workspace, "to": f'%"to": "{like_literal(name)}"%'}
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(_TO_NAME, values)
        found = dict.fromkeys(
            str(row.object).removeprefix(_PREFIX)
            for row in rows
            if _read(row).get("details") == {"to": name}
        )
        return [one for one in found if one != name]

    def _changes(self, name: str) -> list[_Change]:
        """Return the changes of a name, the latest first."""
        known = self._known.get(name)
        if known is None:
            with self._database.read(flush=False) as transaction:
                rows = transaction.execute(
                    _OF_NAME, {"workspace": self._workspace, "object": f"{_PREFIX}{name}"}
                )
            known = self._known[name] = [_change(row) for row in rows]
        return known


def _change(row: Row) -> _Change:
    about = _read(row)
    details = about.get("details")
    to = (
        details.get("to")
        if row.event == "connection.renamed" and isinstance(details, Mapping)
        else None
    )
    return _Change(row.sequence, str(about.get("at", "")), to if isinstance(to, str) else None)


def _read(row: Row) -> dict[str, Any]:
    try:
        return parsed_object(row.entry)
    except (ValueError, TypeError):  # damaged
        return {}
