"""Connection of a call, by the name that it has now: the one of the call may have been renamed or removed, and another may have its name."""

from __future__ import annotations

from collections.abc import Sequence

from jackfield.invocation.entry import Entry
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Node
from jackfield_console.layout.components import h
from jackfield_console.layout.page_request import PageRequest
from jackfield_store.access.connection_names import ConnectionNames

_ANOTHER = "{} (removed; another connection has its name now)"
"""Stands for a connection in the place of its name, which is another's by now. No connection can have such a name."""


def connection_links(request: PageRequest, entries: Sequence[Entry]) -> dict[str, Node]:
    """Return the link to the connection of each entry that has one, by the entry's ID: by the name that it has now."""
    queued, names = _queued_names(request, entries), _names(request)
    return {entry.id: _link(request, entry, queued.get(entry.id) or _name(entry, names)) for entry in entries if entry.connection}


def present_connection(request: PageRequest, entry: Entry) -> str | None:
    """Return the name that the connection of a call has now; None if it was removed, or if the caller may not see it by its new name."""
    name = _name(entry, _names(request))
    return name if name is None or name == entry.connection or _is_seen(request, name) else None


def connection_to_begin(request: PageRequest, entry: Entry) -> str | None:
    """Return the connection that a form begins with which makes a call again; what is no name asks for a choice."""
    if entry.connection is None:
        return None
    if (name := present_connection(request, entry)) is not None:
        return name
    return _ANOTHER.format(entry.connection) if _is_seen(request, entry.connection) else entry.connection


def _names(request: PageRequest) -> ConnectionNames:
    return ConnectionNames(request.server.storage.database, request.identity.workspace)


def _name(entry: Entry, names: ConnectionNames) -> str | None:
    """Return the name that the connection of a call has now, by the name that it had as the call was made."""
    if entry.connection is None or entry.error_code == "unknown_connection":  # it may never have been there
        return entry.connection
    return names.present(entry.connection, entry.created_at if entry.started_at is None else entry.started_at)


def _is_seen(request: PageRequest, name: str) -> bool:
    try:
        request.connections.show(name)
    except JackfieldError:
        return False
    return True


def _queued_names(request: PageRequest, entries: Sequence[Entry]) -> dict[str, str]:
    store = request.runtime.pipeline.known.store
    over = request.journal.queued_connections(entries)
    found = {} if store is None else {identifier: store.name_of(identifier) for identifier in set(over.values())}
    return {entry: name for entry, identifier in over.items() if (name := found.get(identifier)) is not None}


def _link(request: PageRequest, entry: Entry, name: str | None) -> Node:
    if name is None:
        return [entry.connection, h.span(" (removed)", class_="muted")]
    if name != entry.connection and request.identity.rules:  # which may hide the new name
        return entry.connection
    link = h.a(name, href=f"/connections/{name}")
    return link if name == entry.connection or entry.status == "queued" else [f"{entry.connection}, now ", link]
