"""Connection of a call as a link: a queued call follows its connection to a new name, one that waits for an approval does not."""

from __future__ import annotations

from collections.abc import Sequence

from jackfield.invocation.entry import Entry
from jackfield.kernel.markup import Node
from jackfield_console.layout.components import h
from jackfield_console.layout.page_request import PageRequest


def connection_links(request: PageRequest, entries: Sequence[Entry]) -> dict[str, Node]:
    """Return the link to the connection of each entry that has one, by the entry's ID: by the name that it has now if the call is queued."""
    names = _present_names(request, entries)
    return {entry.id: _link(entry, names.get(entry.id, entry.connection)) for entry in entries if entry.connection}


def _present_names(request: PageRequest, entries: Sequence[Entry]) -> dict[str, str]:
    store = request.runtime.pipeline.known.store
    over = request.journal.queued_connections(entries)
    found = {} if store is None else {identifier: store.name_of(identifier) for identifier in set(over.values())}
    return {entry: name for entry, identifier in over.items() if (name := found.get(identifier)) is not None}


def _link(entry: Entry, name: str | None) -> Node:
    link = h.a(name, href=f"/connections/{name}")
    return [f"{entry.connection}, now ", link] if entry.status == "waiting" and name != entry.connection else link
