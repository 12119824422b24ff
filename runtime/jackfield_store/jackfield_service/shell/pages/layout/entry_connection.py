"""Connection of a call, by its current name: the connection may have been renamed or removed, and
another may have its old name.
"""

from __future__ import annotations

from collections.abc import Sequence

from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Node
from jackfield_service.shell.pages.layout.components import h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_store.access.connection_names import ConnectionNames

_ANOTHER = "{} (removed; another connection has its name now)"
"""Replacement for the name of a removed connection whose name another connection has now. No
connection can have such a name.
"""


class CallConnections:
    """Current names of the connections of calls, for one page."""

    def __init__(self, request: PageRequest) -> None:
        self._is_bound = bool(request.identity.rules)
        self._names = ConnectionNames(request.server.storage.database, request.identity.workspace)

    def name(self, entry: Entry) -> str | None:
        """Return the current name of a call's connection, found by its name at the time of the
        call; None if it was removed.
        """
        # it may never have been there
        if entry.connection is None or entry.error_code == "unknown_connection":
            return entry.connection
        return self._names.present(
            entry.connection, entry.created_at if entry.started_at is None else entry.started_at
        )

    def former(self, name: str) -> list[str]:
        """Return the earlier names of connections that were renamed to ``name``; an empty list for
        a visitor whose rules may hide the connections.
        """
        return [] if self._is_bound else self._names.former(name)


def connection_links(request: PageRequest, entries: Sequence[Entry]) -> dict[str, Node]:
    """Return, by the entry's ID, the link to the connection of each entry that has one, with the
    connection's current name.
    """
    queued, known = _queued_names(request, entries), CallConnections(request)
    return {
        entry.id: _link(request, entry, queued.get(entry.id) or known.name(entry))
        for entry in entries
        if entry.connection
    }


def present_connection(request: PageRequest, entry: Entry) -> str | None:
    """Return the current name of a call's connection; None if it was removed, or if the caller may
    not see it by its new name.
    """
    name = CallConnections(request).name(entry)
    return name if name is None or name == entry.connection or _is_seen(request, name) else None


def connection_to_begin(request: PageRequest, entry: Entry) -> str | None:
    """Return the initial connection of a form that repeats a call; a value that is no connection's
    name makes the visitor choose. None if the call had no connection.
    """
    if entry.connection is None:
        return None
    if (name := present_connection(request, entry)) is not None:
        return name
    return (
        _ANOTHER.format(entry.connection)
        if _is_seen(request, entry.connection)
        else entry.connection
    )


def _is_seen(request: PageRequest, name: str) -> bool:
    try:
        request.connections.show(name)
    except JackfieldError:
        return False
    return True


def _queued_names(request: PageRequest, entries: Sequence[Entry]) -> dict[str, str]:
    store = request.runtime.pipeline.known.store
    over = request.journal.queued_connections(entries)
    found = (
        {}
        if store is None
        else {identifier: store.name_of(identifier) for identifier in set(over.values())}
    )
    return {
        entry: name
        for entry, identifier in over.items()
        if (name := found.get(identifier)) is not None
    }


def _link(request: PageRequest, entry: Entry, name: str | None) -> Node:
    if name is None:
        return [entry.connection, h.span(" (removed)", class_="muted")]
    if name != entry.connection and request.identity.rules:  # which may hide the new name
        return entry.connection
    link = h.a(name, href=f"/connections/{name}")
    return (
        link
        if name == entry.connection or entry.status == "queued"
        else [f"{entry.connection}, now ", link]
    )
