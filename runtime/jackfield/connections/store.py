"""The connections of one workspace, by name: those of files, and those that the database keeps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from jackfield.connections.files import Source, load
from jackfield.connections.host_access import HostAccess
from jackfield.connections.stored import StoredConnection
from jackfield.errors import InvalidConnection, JackfieldError, UnknownConnection, did_you_mean
from jackfield.hints import NextStep

if TYPE_CHECKING:
    from jackfield.catalog import Catalog
    from jackfield.connections.connection_store import ConnectionStore
    from jackfield.manifest import Manifest

__all__ = ["Connections", "sources_from"]

_NEAR = 200
"""Stored names that are looked through for one that was meant."""
_PAGE = 1000


def sources_from(environment: Mapping[str, str]) -> list[str]:
    """The files and folders that ``JACKFIELD_CONNECTIONS`` names, separated by ``:`` (``;`` on Windows)."""
    return [part for part in environment.get("JACKFIELD_CONNECTIONS", "").split(os.pathsep) if part]


class Connections:
    """What a workspace has. ``problems`` are sentences about files that could not be read in whole, and names that two of them define.

    A file's connection hides a stored one of the same name. ``open_store`` opens the database, when it is first needed; None where there
    is none. What other systems' files say is read by the connectors of ``catalog`` (left out, those installed).
    """

    def __init__(
        self,
        sources: Iterable[Source] | Source = (),
        open_store: Callable[[], ConnectionStore] | None = None,
        *,
        catalog: Catalog | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        loaded = load(sources, catalog, environment)
        self._by_name = loaded.connections
        self._open_store = open_store
        self._store: ConnectionStore | None = None
        self.problems = (*loaded.problems, *(_twice(found) for found in self._by_name.values() if len(found) > 1))

    @property
    def store(self) -> ConnectionStore | None:
        """The connections that the database keeps; None where there is no database.

        :raises Unavailable: where it cannot be opened.
        """
        if self._store is None and self._open_store is not None:
            self._store = self._open_store()
        return self._store

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each stored connection that a file hides."""
        store = self.store
        hidden = [name for name in sorted(self._by_name) if store is not None and store.show(name) is not None]
        return tuple(f"the connection '{name}' of {self._by_name[name][0].source} hides the stored one of the same name" for name in hidden)

    def files(self) -> list[StoredConnection]:
        """The connections of files, by name; of a name that is defined twice, the first."""
        return [self._by_name[name][0] for name in sorted(self._by_name)]

    def named(self) -> Iterator[tuple[str, str]]:
        """Give the name and type of every connection: those of files, then those that the database keeps."""
        yield from ((name, found[0].type) for name, found in self._by_name.items())
        after, store = "", self.store
        while store is not None and (page := store.list(after=after, limit=_PAGE)):
            yield from ((item.name, item.type) for item in page if item.name not in self._by_name)
            after = page[-1].name

    def in_files(self, name: str) -> StoredConnection | None:
        """The (first) connection of that name that a file has."""
        return self._by_name.get(name, (None,))[0]

    def find(self, name: str) -> StoredConnection:
        """The connection called ``name``: the same object while it is the same version.

        :raises UnknownConnection: where there is none.
        :raises InvalidConnection: where two files define it.
        :raises Unavailable: where the database cannot be read.
        """
        found = self._by_name.get(name)
        if found is None:
            store = self.store
            stored = store.find(name) if store is not None else None
            if stored is None:
                raise self.unknown(name)
            return stored
        if len(found) > 1:
            raise InvalidConnection(_twice(found), hint="Rename or remove all but one of them.")
        return found[0]

    def note_used(self, identifier: str, version: int) -> bool:
        """Count an untested connection of the database as working, since an action over it succeeded; written with the next commit.

        Return False where it cannot be noted, which the action does not fail for.
        """
        with suppress(JackfieldError, MemoryError, RuntimeError):
            store = self.store
            if store is not None:
                store.note_used(identifier, version)
                return True
        return False

    def asks_store(self, connection: object) -> bool:
        """Whether the database is asked for what an invocation gives as its connection."""
        return self._open_store is not None and (connection is None or (isinstance(connection, str) and connection not in self._by_name))

    @property
    def is_near(self) -> bool:
        """Whether looking a stored connection up takes microseconds: SQLite reads in this process."""
        return self.store is None or self.store.is_near

    def access(self) -> HostAccess:
        """What connections of the workspace that were made over HTTP or MCP may use of the host."""
        store = self.store
        return store.access() if store is not None else HostAccess()

    def fitting(self, manifest: Manifest, limit: int = 20) -> list[tuple[str, str]]:
        """Name and type of the connections that the connector takes, by name; of the stored ones, at most ``limit`` of each type."""
        found = {item.name: item.type for item in self.files() if manifest.connection_type(item.type) is not None}
        store = self.store
        if store is not None:
            for kind in manifest.connection_types.values():
                full_name = manifest.full_name(kind)
                found |= {name: full_name for name in store.names([full_name], limit) if name not in self._by_name}
        return sorted(found.items())

    def unknown(self, name: str, sees: Callable[[str, str], bool] | None = None) -> UnknownConnection:
        """The error for a name that there is not; it suggests the nearest one. ``sees`` says of a name and type whether the caller may
        know that they are there: a hidden connection is told of like one that is not there."""
        known = [*((item, found[0].type) for item, found in self._by_name.items()), *self._stored_names()]
        tail = did_you_mean(name, [item for item, kind in known if sees is None or sees(item, kind)])
        broken = f"Not all can be used: {'; '.join(self.problems[:3])}." if self.problems and sees is None else ""
        return UnknownConnection(f"there is no connection '{name[:100]}'{tail}", hint=NextStep("connections", more=broken))

    def _stored_names(self) -> list[tuple[str, str]]:
        store = self.store
        return [(item.name, item.type) for item in store.list(limit=_NEAR)] if store is not None else []


def _twice(found: Sequence[StoredConnection]) -> str:
    sources = [item.where for item in found]
    if len(set(sources)) < len(sources):  # files of the same name
        sources = [os.path.join(item.folder, item.where) for item in found]
    return f"the connection '{found[0].name}' is defined more than once: in {' and '.join(sources)}"
