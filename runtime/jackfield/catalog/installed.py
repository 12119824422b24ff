"""The catalog of installed connectors: manifests at once, code on demand."""

from __future__ import annotations

import importlib.util
import json
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from jackfield.catalog.comparing import Mismatch, mismatch
from jackfield.catalog.discovery import EntryPoint, entry_points, in_archive
from jackfield.catalog.indexed import read_manifest
from jackfield.catalog.installations import InstallationFolder
from jackfield.catalog.loading import (
    BINDINGS,
    LIVE,
    REINSTALL,
    SOURCE,
    Loader,
    broken_connector,
    choose,
    declared_twice,
    load_in_process,
    log_broken,
    of_role,
    refuse_installed,
    unknown_connector,
)
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Unavailable, UnknownConnector
from jackfield.kernel.exports import late_hints
from jackfield.kernel.failures import Raised, attempt, contained
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.local import home
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.reading import INDEX, MANIFEST, ManifestError

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

    from jackfield.catalog.offering import Audience, Offering
    from jackfield.kernel.errors import UnknownAction

_GROUP = "jackfield.connectors"
_LOOK_EVERY = 0.1
_WHOLE = ""
"""Key of a failure that concerns the whole connector; the other keys are keys of actions."""
_LOGGED = "The process's log has the line; at the level 'debug', the traceback."
_REGENERATE = (
    "In an editable install, generate connector.json from the code again "
    "(jackfield.connector.describe). "
) + REINSTALL


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """Row of the catalog. ``error`` says why a broken connector cannot be used; ``versions`` are
    all versions that are installed side by side.
    """

    key: str
    title: str
    version: str | None
    actions: Collection[str]
    error: str | None = None
    versions: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the row as printed by ``jackfield connectors list``."""
        row: dict[str, Any] = {
            "key": self.key,
            "title": self.title,
            "version": self.version,
            "actions": len(self.actions),
            "status": "ok" if self.error is None else "broken",
        }
        if len(self.versions) > 1:
            row["versions"] = list(self.versions)
        return row if self.error is None else {**row, "error": self.error}


class Own(EntryPoint):
    """Connector that this program declares itself, with its manifest and without a package."""

    __slots__ = ("connector", "manifest")

    def __init__(self, manifest: Manifest, connector: Any) -> None:
        super().__init__(manifest.key, "", "this program")
        self.manifest, self.connector = manifest, connector


class Catalog(ProcessLocal):
    """Installed connectors. Reading a manifest imports no connector code; a broken connector does
    not affect the others.

    Of versions installed side by side, the first of ``points`` is the default. ``loader`` returns
    the code of connectors with their own environments.
    """

    offering: Offering | None = None
    """Operator's offers of catalog sources; None without offers."""
    kinds: tuple[Sequence[tuple[str, str, str | None]] | None, int] = (None, 0)
    """Connector, key and family of each connection type, and the catalog's generation for which the
    index has noted them.
    """
    learn: Callable[[], None] | None = None
    """Callback that builds the search index; None for a process without an index."""
    home: str | None = None
    """Data folder of the process; None for a catalog without one."""
    own: tuple[Own, ...] = ()
    """Connectors that the program declares itself, for all catalogs of the process. Each change
    replaces the tuple.
    """
    stored_prefixes: tuple[str, ...] = ()
    """Beginnings of the keys of connectors whose manifests workspaces store. Empty if no installed
    package makes connectors from servers.
    """

    def __init__(
        self,
        points: Iterable[EntryPoint],
        loader: Loader = refuse_installed,
        folder: InstallationFolder | None = None,
    ) -> None:
        self._fixed = tuple(points)
        self._folder = folder
        self._points = _by_key([*self._fixed, *(folder.points() if folder is not None else ())])
        self._own: tuple[Own, ...] = ()
        self._look_at = time.monotonic() + _LOOK_EVERY
        self._loader = loader
        self._generation = 0
        self._manifests: dict[EntryPoint, Manifest] = {}
        self._versions: dict[tuple[str, str], EntryPoint] = {}
        self._connectors: dict[EntryPoint, Any] = {}
        self._compared: dict[EntryPoint, set[str]] = {}
        self._failures: dict[EntryPoint, dict[str, str]] = {}
        self._unread: dict[EntryPoint, str] = {}
        self._lock = threading.Lock()
        self._locks: dict[EntryPoint, threading.Lock] = {}

    def _begin_anew(self) -> None:
        """Replace the locks in a forked child: the threads that hold them do not exist there."""
        self._lock = threading.Lock()
        self._locks = {}

    @classmethod
    def installed(
        cls,
        groups: Mapping[str, tuple[EntryPoint, ...]] | None = None,
        environment: Mapping[str, str] | None = None,
        loader: Loader = refuse_installed,
    ) -> Catalog:
        """Return the catalog of this Python environment, and of the data folder that
        ``environment`` names (default: the process's).
        """
        groups = entry_points() if groups is None else groups
        environment = os.environ if environment is None else environment
        folder = home(environment)
        found = cls(groups.get(_GROUP, ()), loader, InstallationFolder(folder))
        found.home = folder
        found.stored_prefixes = tuple(f"{one.name}." for one in of_role(BINDINGS, LIVE, groups))
        sources = of_role(BINDINGS, SOURCE, groups)
        if (
            sources
            or environment.get("JACKFIELD_OFFERS")
            or os.path.exists(os.path.join(folder, "offers.json"))
        ):
            from jackfield.catalog.offering import Offering

            found.offering = Offering.read(sources, environment, folder)
        return found

    def for_audience(self, audience: Audience) -> Catalog:
        """Return the part of the catalog that an audience is offered: all installed connectors."""
        return self

    @property
    def for_operator(self) -> bool:
        """True if the operator's surfaces are offered more than tenants."""
        return False

    @property
    def offered_whole(self) -> tuple[str, ...]:
        """Names of the catalog sources whose connectors are all offered. Lists name such a source
        once.
        """
        return ()

    def stored_manifests(self) -> list[Manifest]:
        """Return the manifests that no index has: the program's own, and the workspace's stored
        manifests of live servers.
        """
        return [own.manifest for own in Catalog.own]

    def prepare(self, key: str) -> None:
        """Read from the database the data that a call of this connector needs, if any."""

    def chosen(self, manifests: Sequence[Manifest]) -> Sequence[Manifest]:
        """Return the manifests without those of sources offered as a whole, whose connectors nobody
        has chosen singly. If no others are left, return the first manifest.
        """
        whole = self.offered_whole
        found = [
            manifest
            for manifest in manifests
            if "." not in manifest.key or manifest.key.partition(".")[0] not in whole
        ]
        return found or manifests[:1]

    def missing_offer(self, key: str, action: str) -> str | None:
        """Return the offer that would make an action available; None if no offer would."""
        return None

    def unoffered_action(self, key: str, action: str) -> UnknownAction | None:
        """Return the error for an action that exists and is not offered; None if it does not exist
        or is offered.
        """
        return None

    @property
    def whole(self) -> Catalog:
        """Catalog of the process, of which a workspace's catalog may be a part."""
        return self

    def has(self, key: str, action: str, effect: str | None = None) -> bool:
        """Return whether the connector is installed; a part of the catalog returns whether it
        contains the action.

        With the action's ``effect`` from the search index, most parts need no manifest.
        """
        return key in self._points

    def __iter__(self) -> Iterator[str]:
        self._look_again()
        return iter(sorted(self._points))

    def refresh(self) -> None:
        """Read the data folder again if it has changed. Remaining connectors stay loaded; running
        calls are not disturbed.
        """
        if self.offering is not None and self.offering.refresh():
            self._generation += 1
        folder, own = self._folder, Catalog.own
        if (folder is None or not folder.has_changed()) and own is self._own:
            return
        known = {point.identity: point for points in self._points.values() for point in points}
        with self._lock:
            found = (
                [known.get(point.identity, point) for point in folder.points()]
                if folder is not None
                else ()
            )
            self._points = _by_key([*self._fixed, *own, *found])
            for point in own:
                self._manifests[point], self._connectors[point] = point.manifest, point.connector
                self._versions[point.name, point.manifest.version], self._compared[point] = (
                    point,
                    {*point.manifest.actions},
                )
            self._own = own
            self._generation += 1

    @property
    def generation(self) -> int:
        """Number of changes of the data folder that this catalog has seen."""
        if time.monotonic() >= self._look_at or self._own is not Catalog.own:
            self._look_again()
        return self._generation

    def _look_again(self) -> None:
        """Refresh at most ten times a second, since other processes install and remove connectors,
        too.
        """
        now = time.monotonic()
        if now >= self._look_at or self._own is not Catalog.own:
            self._look_at = now + _LOOK_EVERY
            self.refresh()

    def packages(self) -> set[str]:
        """Return the names of the packages that the import system finds."""
        return {_package(point) for point in self.packaged() if not point.paths}

    def stamp(self, folders: Mapping[str, str], *, for_operator: bool = False) -> str | None:
        """Return a string that changes with any manifest of the installed connectors; None if a
        connector has failed on import, since its files do not reveal that.

        ``folders`` are known folders of packages; ``for_operator`` includes connectors offered only
        to the operator.
        """
        if any(self._failures.values()):
            return None
        offered = "" if self.offering is None else self.offering.stamp(for_operator=for_operator)
        files = [(point.identity, _file_stamp(point, folders)) for point in self.packaged()]
        return json.dumps([files, offered])

    def packaged(self) -> list[EntryPoint]:
        """Return the entry points of the connectors in packages, by key. The index, which other
        processes read too, covers these.
        """
        return [
            point
            for key in sorted(self._points)
            for point in self._points[key]
            if not isinstance(point, Own)
        ]

    def entries(self, *, load: bool = False, folded: bool = False) -> list[CatalogRow]:
        """Return one row per connector, sorted by key. ``load`` also imports each connector, to
        check that it can be imported; ``folded`` leaves out connectors of sources in
        ``offered_whole``.
        """
        return [self.look(key, load=load)[0] for key in self]

    def look(self, key: str, *, load: bool = False) -> tuple[CatalogRow, Manifest | None]:
        """Return a connector's row and its manifest, None for a broken connector. A manifest read
        by this method is not cached.
        """
        try:
            point = self._default(key)
            manifest = self._manifests.get(point) or self._load_manifest(point)
            if load:
                self._load_all(point)
        except (Unavailable, UnknownConnector) as error:
            return CatalogRow(key, key, None, (), str(error.message)), None
        failure = next(iter(self._failures.get(point, {}).values()), None)
        versions = tuple(other.version for other in self._points[key])
        entry = CatalogRow(
            key, manifest.title, manifest.version, tuple(manifest.actions), failure, versions
        )
        return entry, manifest if entry.error is None else None

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all connectors that are not broken, sorted by key. Each is read
        once and cached.
        """
        return [found for key in self if (found := self._usable(key)) is not None]

    def with_type(self, name: str) -> list[Manifest]:
        """Return the manifests of the connectors that accept connections of the type ``name``,
        sorted by key, isolated connectors last. The first manifest's schema says which values are
        secrets.
        """
        keys = self.takers(name)
        found = (
            self.manifests()
            if keys is None
            else [
                one
                for key in keys
                if key in self._points and (one := self._usable(key)) is not None
            ]
        )
        return sorted(
            (one for one in found if one.connection_type(name) is not None),
            key=lambda manifest: manifest.isolated,
        )

    def full_name_of(self, name: str) -> str:
        """Return the name under which a connection type is stored: ``aws/awsAssumeRole`` for
        ``aws-ses/awsAssumeRole``.

        A name without a connector's prefix, or with the prefix of an isolated connector that shares
        no types, is returned unchanged.
        """
        owner, separator, _ = name.partition("/")
        if not separator or not ("." in owner or self.has(owner, "")):
            return name
        try:
            manifest = self.find(owner)
        except (UnknownConnector, Unavailable):
            return name
        kind = None if manifest.isolated else manifest.connection_type(name)
        return name if kind is None else manifest.full_name(kind)

    def takers(self, name: str) -> list[str] | None:
        """Return the keys of the connectors that may have the connection type ``name``; None if
        only their manifests can tell.
        """
        known = self._known_kinds()
        if known is None and self.learn is not None:
            self.learn()
            known = self._known_kinds()
        if known is None:
            return None
        owner, _, key = name.rpartition("/")
        return [
            taker for taker, kind, family in known if kind == key and owner in ("", taker, family)
        ]

    def _known_kinds(self) -> Sequence[tuple[str, str, str | None]] | None:
        known, generation = self.kinds
        return known if generation == self.generation else None

    def find(self, key: str, version: str | None = None) -> Manifest:
        """Return a connector's manifest: of the highest version that ``version``, a PEP 440
        specifier, allows, or of the default version.

        :raises UnknownConnector: if the connector is not installed, is broken, or has no matching
            version.
        """
        point = self._default(key) if version is None else self._chosen(key, version)
        return self._manifests.get(point) or self._cache(point)

    def load(self, key: str, action: str | None = None, version: str | None = None) -> Any:
        """Return the code of the connector's ``version``, or of its default version, imported on
        first use.

        The module of an action that the connector imports on demand is imported, and compared with
        the manifest, only if ``action`` names it. A fault in that module affects this action alone.

        :raises UnknownConnector: if the connector is not installed, fails to import, or lacks a
            part that its manifest declares.
        """
        point = self._versions.get((key, version)) if version is not None else None
        return self._loaded(point or self._default(key), action)

    def _loaded(self, point: EntryPoint, action: str | None = None) -> Any:
        found = self._connectors.get(point)
        if found is None:
            manifest = self._manifests.get(point) or self._cache(point)
            with self._lock_of(point):
                found = self._connectors.get(point) or self._attempt(
                    point, _WHOLE, lambda: self._import(point, manifest)
                )
        if action is not None and action not in self._compared[point]:
            manifest = self._manifests[point]
            with self._lock_of(point):
                self._attempt(
                    point, action, lambda: self._compare(point, found, manifest, {action})
                )
        return found

    def _lock_of(self, point: EntryPoint) -> threading.Lock:
        """Return the lock of one connector, so that a slow start does not block others."""
        with self._lock:
            return self._locks.setdefault(point, threading.Lock())

    def has_loaded(self, key: str, action: str, version: str | None = None) -> bool:
        """Return whether ``load`` would find the code of the action already imported."""
        point = self._versions.get((key, version)) if version is not None else None
        return action in self._compared.get(point or self._default(key), ())

    def _load_all(self, point: EntryPoint) -> Any:
        found = self._loaded(point)
        for action in self._manifests[point].actions:
            self._loaded(point, action)
        return found

    def _attempt(self, point: EntryPoint, part: str, step: Callable[[], Any]) -> Any:
        """Return the value of ``step``, which imports connector code; record a failure of that part
        of the connector.

        :raises UnknownConnector: if the code fails.
        """
        failures = self._failures.setdefault(point, {})
        found = attempt(contained, step)
        if not isinstance(found, Raised):
            failures.pop(part, None)
            return found
        error = found.error
        if isinstance(error, Unavailable):  # its process could not be started this time
            raise error
        if isinstance(error, Mismatch):
            fault, hint = str(error), _REGENERATE if "its manifest" in str(error) else REINSTALL
        else:
            log_broken(point.name, error)
            fault, hint = (
                f"fails on import: {type(error).__name__}: {error}",
                f"{REINSTALL} {_LOGGED}",
            )
        failures[part] = f"the connector '{point.name}' {fault}"
        raise broken_connector(failures[part], hint)

    def _import(self, point: EntryPoint, manifest: Manifest) -> Any:
        found = (self._loader if point.paths else load_in_process)(manifest, point)
        self._compare(
            point, found, manifest, {*manifest.actions} - {*getattr(found, "on_demand", ())}
        )
        self._connectors[point] = found
        return found

    def _compare(
        self, point: EntryPoint, found: object, manifest: Manifest, actions: set[str]
    ) -> None:
        fault = mismatch(found, manifest, actions)
        if fault is not None:
            raise Mismatch(fault)
        self._compared.setdefault(point, set()).update(actions)

    def differs(self, key: str) -> str | None:
        """Return the first difference between a connector's manifest and its code, including prose;
        None if they agree.

        :raises UnknownConnector: if the connector is broken.
        """
        manifest = self.find(key)
        fault = mismatch(
            self._load_all(self._default(key)), manifest, {*manifest.actions}, prose=True
        )
        return f"the connector '{key}' {fault}" if fault is not None else None

    def _usable(self, key: str) -> Manifest | None:
        try:
            return (
                self.find(key) if _WHOLE not in self._failures.get(self._default(key), ()) else None
            )
        except UnknownConnector:
            return None

    def broken(self, *, load: bool = False) -> dict[str, str]:
        """Return the errors of broken connectors, by connector and distribution; ``load`` also
        imports all connectors of this process.
        """
        for key in self if load else ():
            self.look(key, load=not any(point.paths for point in self._points.get(key, ())))
        found = {
            point: text for point, texts in [*self._failures.items()] for text in texts.values()
        } | self._unread
        for key, points in [*self._points.items()]:
            if len(points) > 1 and not all(point.version for point in points):
                found[points[0]] = declared_twice(key, points).message
        return {
            f"the connector '{point.name}' of the distribution {point.distribution} is broken": text
            for point, text in found.items()
        }

    def _load_manifest(self, point: EntryPoint) -> Manifest:
        try:
            manifest = _load_manifest(point)
        except UnknownConnector as error:
            self._unread[point] = error.message
            raise
        self._unread.pop(point, None)
        return manifest

    def _cache(self, point: EntryPoint) -> Manifest:
        manifest = self._load_manifest(point)
        self._versions[point.name, manifest.version] = point
        self._manifests[point] = manifest
        return manifest

    def _chosen(self, key: str, specifier: str) -> EntryPoint:
        default = self._default(key)
        if not default.version:
            choose(key, [(self._manifests.get(default) or self._cache(default)).version], specifier)
            return default
        points = {point.version: point for point in self._points[key]}
        return points[choose(key, [*points], specifier)]

    def _default(self, key: str) -> EntryPoint:
        self._look_again()
        points = self._points.get(key)
        if points is None:
            raise unknown_connector(key, self._points, is_whole=True)
        if len(points) > 1 and not all(point.version for point in points):
            raise declared_twice(key, points)
        return points[0]


def _by_key(points: Iterable[EntryPoint]) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in points:
        found.setdefault(point.name, []).append(point)
    return found


def _load_manifest(point: EntryPoint) -> Manifest:
    key = point.name
    try:
        manifest = read_manifest(_folder(point))
    except (ManifestError, OSError, ValueError, RecursionError) as error:
        raise broken_connector(
            f"the connector '{key}' has a broken manifest: {_reason(error)}"
        ) from None
    if manifest.key != key:
        raise broken_connector(
            f"the connector '{key}' has a broken manifest: its key is '{manifest.key}'"
        )
    return manifest.part(isolated=True) if point.paths else manifest


def _file_stamp(point: EntryPoint, folders: Mapping[str, str]) -> list[list[int]]:
    """Return size, time and place of a connector's manifest and of its index."""
    try:
        folder = (None if point.paths else folders.get(_package(point))) or _folder(point)
    except ManifestError:
        return []
    found: list[list[int]] = []
    for name in (MANIFEST, INDEX):
        with suppress(OSError):
            about = os.stat(in_archive(path := os.path.join(folder, name))[0] or path)
            found.append([about.st_size, about.st_mtime_ns, about.st_ino])
    return found


def _folder(point: EntryPoint) -> str:
    package = _package(point)
    folders = [os.path.join(path, package) for path in point.paths[:1]] or _package_folders(package)
    if not folders:
        raise ManifestError(f"its package '{package}' is not installed")
    return folders[0]


def _package(point: EntryPoint) -> str:
    return point.module.partition(".")[0]


def _package_folders(package: str) -> list[str]:
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError, AttributeError):
        spec = None
    return list(spec.submodule_search_locations or ()) if spec is not None else []


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"connector.json cannot be read ({error.strerror})"
    if isinstance(error, ManifestError):
        return str(error)
    return f"connector.json is not JSON ({error})"


late_hints(__name__)
