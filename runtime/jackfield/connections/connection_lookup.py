"""The connections of one workspace, by name: from files and from the database."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jackfield.catalog.loading import PARTS, has_part, package_of
from jackfield.connections.host_access import HostAccess
from jackfield.connections.named_connection import NamedConnection, Source, listed
from jackfield.kernel.clock import monotonic
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import (
    Detail,
    InvalidConnection,
    JackfieldError,
    UnknownConnection,
    did_you_mean,
)
from jackfield.kernel.hints import NextStep
from jackfield.kernel.local import home

if TYPE_CHECKING:
    from jackfield.catalog.installed import Catalog
    from jackfield.connections.files import Loaded
    from jackfield.connections.oauth_clients import OAuthClient
    from jackfield.connections.ports import StoredConnections
    from jackfield.manifest.manifest import Manifest

_LOG = logging.getLogger("jackfield.connections")
_LOOK_EVERY = 0.1
_SHARE = 20
"""Ratio of time to checking time: checks use at most one twentieth of the time, however many files
there are.
"""
_NEAR = 200
"""Maximum number of stored names that are searched for a similar name."""


def sources_from(environment: Mapping[str, str]) -> list[str]:
    """Return the files and folders in ``JACKFIELD_CONNECTIONS``, which ``:`` separates (``;`` on
    Windows).
    """
    return [part for part in environment.get("JACKFIELD_CONNECTIONS", "").split(os.pathsep) if part]


def barred_paths(environment: Mapping[str, str], more: Iterable[str]) -> tuple[str, ...]:
    """Return the paths that no tenant's ``$file`` reference may read, including ``more``.

    They are the data folder, and the files that ``JACKFIELD_*_FILE``,
    ``JACKFIELD_KUBERNETES_SECRETS`` and ``…_ACCOUNT``, ``JACKFIELD_KEY_WRAPPERS`` and
    ``JACKFIELD_CONNECTIONS`` name.
    """
    ends = ("_FILE", "_KUBERNETES_SECRETS", "_KUBERNETES_ACCOUNT")
    named = [
        text
        for name, text in environment.items()
        if name.startswith("JACKFIELD_") and name.endswith(ends) and text
    ]
    keys = [
        uri[5:]
        for uri in environment.get("JACKFIELD_KEY_WRAPPERS", "").replace(",", " ").split()
        if uri.startswith("file:/")
    ]
    return (
        home(environment),
        *map(os.path.expanduser, (*named, *keys, *sources_from(environment))),
        *more,
    )


class Connections:
    """Connections of one workspace. ``problems`` are sentences about files that are not fully
    readable, and about duplicate names; ``disabled`` are disabled entries of other systems' files.

    A connection in a file hides a stored connection of the same name. Files that change are read
    again within a tenth of a second. ``open_store`` opens the database at first use; None if there
    is no database. The connectors of ``catalog`` (default: the installed ones) translate files of
    other systems.
    """

    def __init__(
        self,
        sources: Iterable[Source] | Source = (),
        open_store: Callable[[], StoredConnections] | None = None,
        *,
        catalog: Catalog | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._sources, self._catalog, self._environment = listed(sources), catalog, environment
        self._stamp = _stamp(self._sources)
        self._look_at = monotonic() + _LOOK_EVERY if self._stamp else math.inf
        self._open_store = open_store
        self._store: StoredConnections | None = None
        self._generation = 0
        self._known: Mapping[str, tuple[NamedConnection, ...]] = {}
        self._shared: dict[NamedConnection, NamedConnection] = {}
        self._take(_load(self._sources, catalog, environment))

    def reread(self, sources: Iterable[Source] | Source, *, catalog: Catalog | None = None) -> None:
        """Replace the connections of files by those of other sources, all at once. An unchanged
        connection stays the same object.
        """
        self._look_at = math.inf
        self._take(_load(listed(sources), catalog, {}))

    @property
    def generation(self) -> int:
        """Number of file changes that have been read."""
        if monotonic() >= self._look_at:
            self._look_again()
        return self._generation

    @property
    def _by_name(self) -> Mapping[str, tuple[NamedConnection, ...]]:
        """Definitions of each name in the files, as of the last check."""
        if monotonic() >= self._look_at:
            self._look_again()
        return self._known

    def _look_again(self) -> None:
        """Read the files again if one has changed. If that adds a problem, the earlier content
        stays in use, and the reason is logged.
        """
        begun = monotonic()
        self._look_at = begun + _LOOK_EVERY
        present = _stamp(self._sources)
        if present != self._stamp:
            self._stamp = present
            found = _load(self._sources, self._catalog, self._environment)
            new = [problem for problem in _problems(found) if problem not in self.problems]
            if new:
                _LOG.warning(
                    "the connection files have changed and are not used: %s; what was read "
                    "before stays",
                    "; ".join(new[:3]),
                )
            else:
                self._take(found)
        self._look_at = max(self._look_at, monotonic() + _SHARE * (monotonic() - begun))

    def _take(self, found: Loaded | None) -> None:
        connections = {} if found is None else found.connections
        self._known = {
            name: _unchanged(self._known.get(name), items) for name, items in connections.items()
        }
        self._shared = {
            item: self._shared[item]
            for items in self._known.values()
            for item in items
            if item in self._shared
        }
        self.disabled, self.problems = () if found is None else found.disabled, _problems(found)
        self._generation += 1

    @property
    def store(self) -> StoredConnections | None:
        """Connections in the database; None if there is no database.

        :raises Unavailable: if the database cannot be opened.
        """
        if self._store is None and self._open_store is not None:
            self._store = self._open_store()
        return self._store

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences about stored connections that a file hides, one for each."""
        store = self.store
        hidden = [
            name
            for name in sorted(self._by_name)
            if store is not None and store.show(name) is not None
        ]
        return tuple(
            (
                f"the connection '{name}' ({self._by_name[name][0].source}) hides the stored one "
                "with that name"
            )
            for name in hidden
        )

    def files(self) -> list[NamedConnection]:
        """Return the connections of files by name; for a name with two definitions, the first."""
        return [self._of_family(self._by_name[name][0]) for name in sorted(self._by_name)]

    def named(self) -> Iterator[tuple[str, str]]:
        """Yield the name and type of every connection: from files, then from the database."""
        yield from ((name, self._of_family(found[0]).type) for name, found in self._by_name.items())
        if self.store is not None:
            yield from (
                (name, kind) for name, kind in self.store.named() if name not in self._by_name
            )

    def in_files(self, name: str) -> NamedConnection | None:
        """Return the (first) connection of that name in a file; None if no file defines it."""
        found = self._by_name.get(name)
        return None if found is None else self._of_family(found[0])

    def find(self, name: str) -> NamedConnection:
        """Return the connection called ``name``; the same object as long as its version is the
        same.

        :raises UnknownConnection: if there is none.
        :raises InvalidConnection: if two files define it.
        :raises Unavailable: if the database cannot be read.
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
        return self._of_family(found[0])

    def followed(self, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a stored invocation (``invocation``) with the current name of its connection
        (``connectionId``). The name stays if the connection was deleted or comes from a file: a
        current connection of that name is another one (``Claimed.require_own``).
        """
        invocation: Mapping[str, Any] = stored["invocation"]
        identifier, name, store = (
            stored.get("connectionId"),
            invocation.get("connection"),
            self.store,
        )
        if identifier is None or not isinstance(name, str) or store is None:
            return invocation
        found = None if name in self._by_name else store.find(name)
        present = (
            name if found is not None and found.id == identifier else store.name_of(identifier)
        )
        return invocation if present in (None, name) else {**invocation, "connection": present}

    def full_name_of(self, name: str) -> str:
        """Return the name of a connection type that all connectors of its family know."""
        return name if self._catalog is None else self._catalog.full_name_of(name)

    def _of_family(self, found: NamedConnection) -> NamedConnection:
        """Return a file's connection with the family's name of its type, which every connector of
        the family knows.
        """
        known = self._shared.get(found)
        if known is None:
            name = self.full_name_of(found.type)
            known = self._shared[found] = found if name == found.type else replace(found, type=name)
        return known

    def note_used(self, name: str, identifier: str | None, version: int) -> bool:
        """Mark an untested connection as working, since an action over it succeeded; written with
        the next commit. ``identifier`` is None for connections of files.

        Return False if it cannot be marked, which must not fail the action.
        """
        with suppress(JackfieldError, MemoryError, RuntimeError):
            store, filed = self.store, self.in_files(name) if identifier is None else None
            if store is not None and identifier is not None:
                store.note_used(identifier, version)
            elif store is not None and filed is not None:
                store.file_tests.note_used(filed)
            return store is not None
        return False

    def note_expired(self, identifier: str, version: int) -> None:
        """Mark a stored connection as expired, since the provider reports it; written with the next
        commit. A failure changes no Result.
        """
        with suppress(JackfieldError, MemoryError, RuntimeError):
            if self.store is not None:
                self.store.note_expired(identifier, version)

    def needs_store(self, connection: object) -> bool:
        """Return whether resolving an invocation's ``connection`` needs the database now."""
        if self._open_store is None or not (connection is None or isinstance(connection, str)):
            return False
        return connection is None or not (
            connection in self._by_name
            or (self._store is not None and self._store.knows(connection))
        )

    @property
    def answers_locally(self) -> bool:
        """True if looking up a stored connection takes microseconds, since SQLite reads in this
        process.
        """
        return self.store is None or self.store.answers_locally

    def access(self) -> HostAccess:
        """Return the rights that the operator grants to the workspace's connections of remote
        callers.
        """
        store = self.store
        return store.access() if store is not None else HostAccess()

    def oauth_client(self, name: object) -> OAuthClient:
        """Return the OAuth client of a name: the workspace's own, else the server's.

        :raises InvalidConnection: if there is none.
        :raises Unavailable: if the database cannot be read.
        """
        store = self.store
        found = (
            store.oauth_clients.find(name) if store is not None and isinstance(name, str) else None
        )
        if found is None:
            text = f"no OAuth client is named '{str(name)[:100]}'"
            raise InvalidConnection(
                text,
                details=[Detail("/oauthClient", "names no OAuth client", "enum")],
                hint=NextStep("oauth_clients"),
            )
        return found

    def fitting(self, manifest: Manifest, limit: int = 20) -> list[tuple[str, str]]:
        """Return name and type of the connections that the connector accepts, by name; of stored
        connections, up to ``limit`` of each type. Connections that wait for an approval cannot run
        anything: they are returned only if there are no others.
        """
        found = {
            item.name: item.type
            for item in self.files()
            if manifest.connection_type(item.type) is not None
        }
        found |= self._stored_fitting(manifest, limit, granted=True)
        return sorted((found or self._stored_fitting(manifest, limit, granted=False)).items())

    def _stored_fitting(self, manifest: Manifest, limit: int, *, granted: bool) -> dict[str, str]:
        store = self.store
        types = [
            (manifest.full_name(kind), granted and bool(kind.authorizes))
            for kind in manifest.connection_types.values()
        ]
        return {
            name: type_
            for type_, approved in types
            for name in (store.names([type_], limit, granted=approved) if store is not None else ())
            if name not in self._by_name
        }

    def unknown(
        self, name: str, sees: Callable[[str, str], bool] | None = None
    ) -> UnknownConnection:
        """Return the error for a missing name, with the most similar visible name. ``sees`` returns
        whether the caller may see a name and type; a hidden connection gives the same error as a
        missing one.
        """
        known = [
            *((item, found[0].type) for item, found in self._by_name.items()),
            *self._stored_names(),
        ]
        tail = did_you_mean(
            name, [item for item, kind in known if sees is None or sees(item, kind)]
        )
        off = next(
            (item.text for item in self.disabled if sees is None and name in item.names), None
        )
        if off is not None:
            return UnknownConnection(
                f"no connection is named '{name[:100]}': {off}", hint=NextStep("connections")
            )
        broken = (
            f"Some connections cannot be used: {'; '.join(self.problems[:3])}."
            if self.problems and sees is None
            else ""
        )
        if self._open_store is None and not has_part("store"):
            package, command = package_of(PARTS, "store")
            broken = f"{broken} Stored connections need the package {package}: {command}.".lstrip()
        return UnknownConnection(
            f"no connection is named '{name[:100]}'{tail}",
            hint=NextStep("connections", more=broken),
        )

    def _stored_names(self) -> list[tuple[str, str]]:
        store = self.store
        return (
            [(item.name, item.type) for item in store.list(limit=_NEAR)]
            if store is not None
            else []
        )


def _load(
    sources: Sequence[Source], catalog: Catalog | None, environment: Mapping[str, str] | None
) -> Loaded | None:
    if not sources:  # a process without files reads no YAML
        return None
    from jackfield.connections.files import load

    return load(sources, catalog, environment)


def _stamp(sources: Sequence[Source]) -> tuple[object, ...]:
    if not sources:
        return ()
    from jackfield.connections.files import stamp

    return stamp(sources)


def _problems(found: Loaded | None) -> tuple[str, ...]:
    if found is None:
        return ()
    return (
        *found.problems,
        *(_twice(items) for items in found.connections.values() if len(items) > 1),
    )


def _unchanged(
    before: tuple[NamedConnection, ...] | None, found: tuple[NamedConnection, ...]
) -> tuple[NamedConnection, ...]:
    if before is not None and [(item.type, item.values) for item in before] == [
        (item.type, item.values) for item in found
    ]:
        return before
    return found


def _twice(found: Sequence[NamedConnection]) -> str:
    sources = [item.where for item in found]
    if len(set(sources)) < len(sources):  # files of the same name
        sources = [os.path.join(item.folder, item.where) for item in found]
    return f"the connection '{found[0].name}' is defined more than once: in {' and '.join(sources)}"
