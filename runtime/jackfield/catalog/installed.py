"""The catalog of installed connectors: manifests at once, code on demand."""

from __future__ import annotations

import importlib
import importlib.util
import json
import operator
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jackfield.catalog.discovery import EntryPoint, entry_points
from jackfield.errors import UnknownConnector, did_you_mean
from jackfield.fork import at_fork
from jackfield.hints import NextStep
from jackfield.manifest import Manifest, ManifestError

__all__ = ["Catalog", "Entry", "difference", "unknown_connector"]

_GROUP = "jackfield.connectors"
_WHOLE = ""
"""Key of a failure that concerns the whole connector; the others are keys of actions."""
_REINSTALL = "Reinstall or upgrade the connector's package, or report it to its author."
_REGENERATE = "In an editable install, generate connector.json from the code again (jackfield.connector.describe). " + _REINSTALL


@dataclass(frozen=True, slots=True)
class Entry:
    """Row of the catalog. ``error`` says why a broken connector cannot be used."""

    key: str
    title: str
    version: str | None
    actions: tuple[str, ...]
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row as printed by ``jackfield connectors list``."""
        row: dict[str, Any] = {
            "key": self.key,
            "title": self.title,
            "version": self.version,
            "actions": list(self.actions),
            "status": "ok" if self.error is None else "broken",
        }
        return row if self.error is None else {**row, "error": self.error}


class _Mismatch(Exception):
    """Difference between a connector's code and its manifest."""


class Catalog:
    """Installed connectors. Reading a manifest imports no connector code; a broken connector does not affect the others."""

    def __init__(self, points: Iterable[EntryPoint]) -> None:
        self._points: dict[str, list[EntryPoint]] = {}
        for point in points:
            self._points.setdefault(point.name, []).append(point)
        self._manifests: dict[str, Manifest] = {}
        self._connectors: dict[str, Any] = {}
        self._compared: dict[str, set[str]] = {}
        self._failures: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        at_fork(self)

    @classmethod
    def installed(cls, groups: Mapping[str, tuple[EntryPoint, ...]] | None = None) -> Catalog:
        """Return the catalog of this Python environment."""
        return cls((entry_points() if groups is None else groups).get(_GROUP, ()))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._points))

    def entries(self, *, load: bool = False) -> list[Entry]:
        """Return one row per connector, sorted by key. ``load`` also imports each one, to check that it can be imported."""
        return [self.look(key, load=load)[0] for key in self]

    def look(self, key: str, *, load: bool = False) -> tuple[Entry, Manifest | None]:
        """Return a connector's row and its manifest. The manifest is None if the connector is broken; it is not cached."""
        try:
            manifest = self._manifests.get(key) or self._read(key)
            if load:
                self._load_all(key)
        except UnknownConnector as error:
            return Entry(key, key, None, (), str(error.message)), None
        failure = next(iter(self._failures.get(key, {}).values()), None)
        entry = Entry(key, manifest.title, manifest.version, tuple(manifest.actions), failure)
        return entry, manifest if entry.error is None else None

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all connectors that are not broken, sorted by key. Each is read once and cached."""
        return [found for key in self if (found := self._usable(key)) is not None]

    def find(self, key: str, version: str | None = None) -> Manifest:
        """Return the manifest of a connector. ``version`` is a PEP 440 specifier.

        :raises UnknownConnector: if it is not installed, is broken, or has no matching version.
        """
        manifest = self._manifests.get(key) or self._cache(key)
        if version is not None:
            _check_version(manifest, version)
        return manifest

    def load(self, key: str, action: str | None = None) -> Any:
        """Return the connector's code, imported on first use.

        The module of an action that the connector imports on demand is imported, and compared with the manifest, only if ``action`` names
        it; a fault in it refuses that action alone.

        :raises UnknownConnector: if it is not installed, fails to import, or lacks what its manifest declares.
        """
        found = self._connectors.get(key)
        if found is None:
            manifest = self.find(key)
            with self._lock:
                found = self._attempt(key, _WHOLE, lambda: self._import(key, manifest))
        if action is not None and action not in self._compared[key]:
            manifest = self.find(key)
            with self._lock:
                self._attempt(key, action, lambda: self._compare(key, found, manifest, {action}))
        return found

    def _load_all(self, key: str) -> Any:
        """Return the connector's code with the modules of all its actions imported and compared."""
        found = self.load(key)
        for action in self.find(key).actions:
            self.load(key, action)
        return found

    def _attempt(self, key: str, part: str, step: Callable[[], Any]) -> Any:
        """Return the value of ``step``, which imports connector code; record a failure of that part of the connector."""
        failures = self._failures.setdefault(key, {})
        try:
            value = step()
        except _Mismatch as error:
            fault, hint = str(error), _REGENERATE if "its manifest" in str(error) else _REINSTALL
        except (Exception, SystemExit) as error:  # noqa: BLE001 (third-party code may raise anything and must not affect others)
            fault, hint = f"fails on import: {type(error).__name__}: {error}", _REINSTALL
        else:
            failures.pop(part, None)
            return value
        failures[part] = f"the connector '{key}' {fault}"
        raise _broken(failures[part], hint)

    def _import(self, key: str, manifest: Manifest) -> Any:
        point = self._points[key][0]
        found = operator.attrgetter(point.attribute)(importlib.import_module(point.module))
        self._compare(key, found, manifest, {*manifest.actions} - {*getattr(found, "on_demand", ())})
        self._connectors[key] = found
        return found

    def _compare(self, key: str, found: object, manifest: Manifest, actions: set[str]) -> None:
        fault = _mismatch(found, manifest, actions)
        if fault is not None:
            raise _Mismatch(fault)
        self._compared.setdefault(key, set()).update(actions)

    def differs(self, key: str) -> str | None:
        """Return the first difference between a connector's manifest and its code, including prose; None if they agree.

        :raises UnknownConnector: if the connector is broken.
        """
        manifest = self.find(key)
        fault = _mismatch(self._load_all(key), manifest, {*manifest.actions}, prose=True)
        return f"the connector '{key}' {fault}" if fault is not None else None

    def _usable(self, key: str) -> Manifest | None:
        try:
            return self.find(key) if _WHOLE not in self._failures.get(key, ()) else None
        except UnknownConnector:
            return None

    def _cache(self, key: str) -> Manifest:
        manifest = self._read(key)
        self._manifests[key] = manifest
        return manifest

    def _read(self, key: str) -> Manifest:
        points = self._points.get(key)
        if points is None:
            raise unknown_connector(key, self._points)
        if len(points) > 1:
            owners = " and ".join(point.distribution for point in points)
            raise _broken(
                f"the connector '{key}' is declared twice, by {owners}: neither is used, since either could be an impostor",
                f"Uninstall the one that you do not trust, for example: pip uninstall {points[-1].distribution}.",
            )
        try:
            manifest = Manifest.from_json(json.loads(_manifest_text(points[0])))
        except (ManifestError, OSError, ValueError, RecursionError) as error:
            raise _broken(f"the connector '{key}' has a broken manifest: {_reason(error)}") from None
        if manifest.key != key:
            raise _broken(f"the connector '{key}' has a broken manifest: its key is '{manifest.key}'")
        return manifest


def _manifest_text(point: EntryPoint) -> str:
    package = point.module.partition(".")[0]
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError, AttributeError):
        spec = None
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not folders:
        raise ManifestError(f"its package '{package}' is not installed")
    with open(os.path.join(folders[0], "connector.json"), encoding="utf-8") as file:
        return file.read()


def _mismatch(found: object, manifest: Manifest, actions: set[str], *, prose: bool = False) -> str | None:
    """Explain how the code differs from its manifest, among ``actions`` and in everything that is not an action: the code changed without
    ``connector.json``, or the manifest is false."""
    promised = {"action": manifest.actions, "connection type": manifest.connection_types}
    held = {"action": getattr(found, "actions", None), "connection type": getattr(found, "connections", None)}
    for noun, keys in promised.items():
        known = held[noun]
        if not isinstance(known, Mapping):
            return f"is not a Connector but {type(found).__name__}"
        lacking = [key for key in keys if key not in known]
        if lacking:
            return f"has no {noun} '{lacking[0]}', which its manifest describes"
    describe = getattr(found, "describe", None)
    if not callable(describe):
        return None
    if not getattr(found, "on_demand", ()):
        return difference(manifest.raw, describe(), prose=prose)
    published = {**manifest.raw, "actions": [item for item in manifest.raw.get("actions", ()) if item.get("key") in actions]}
    return difference(published, describe(actions), prose=prose)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"connector.json cannot be read ({error.strerror})"
    if isinstance(error, ManifestError):
        return str(error)
    return f"connector.json is not JSON ({error})"


def _check_version(manifest: Manifest, version: str) -> None:
    from packaging.specifiers import SpecifierSet

    try:
        fits = SpecifierSet(version).contains(manifest.version, prereleases=True)
    except ValueError:  # InvalidSpecifier, or int() refusing too many digits
        raise UnknownConnector(
            f"'{version[:80]}' is not a version specifier",
            hint="Give a PEP 440 specifier such as '>=1.2,<2' as connectorVersion.",
        ) from None
    if not fits:
        raise UnknownConnector(
            f"no installed version of '{manifest.key}' matches '{version[:80]}'; version {manifest.version} is installed",
            hint="Install a matching version, or widen connectorVersion.",
        )


def unknown_connector(key: str, known: Iterable[str]) -> UnknownConnector:
    """Return the error for a connector that is not among ``known``, with a suggestion."""
    tail = did_you_mean(key, known)
    return UnknownConnector(
        f"no connector '{key[:80]}' is installed{tail}",
        hint=NextStep("connectors"),
    )


def _broken(message: str, hint: str = _REINSTALL) -> UnknownConnector:
    return UnknownConnector(message, hint=hint)


_PROSE = frozenset({"title", "description", "examples", "setup", "icon", "categories", "documentationUrl", "license", "version"})
"""Members without effect on calls: a difference is worth a note, but refuses no call."""
_MAPS = frozenset(
    {
        "connectionTypes",
        "actions",
        "optionSources",
        "properties",
        "patternProperties",
        "$defs",
        "dependentSchemas",
        "permissions",
        "aliases",
    }
)
"""Members whose own members are names, not keywords."""
_ABSENT = object()


def difference(manifest: Mapping[str, Any], code: Mapping[str, Any], *, prose: bool = False) -> str | None:
    """Return the first difference between a manifest and the description by the code; None if they agree.

    ``prose`` compares titles, descriptions, examples and the version too. An output without a schema is not compared, because it is not
    validated.
    """
    described = json.loads(json.dumps(code))
    for place, published, actual in _differences(_keyed(manifest), _keyed(described), "", names=False, prose=prose):
        return f"differs from its manifest in {place}: connector.json says {_short(published)}, the code {_short(actual)}"
    return None


def _keyed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with lists keyed, so that a difference names the action instead of its index; effects are spelled out."""
    found = dict(manifest)
    for name in ("connectionTypes", "actions", "optionSources"):
        found[name] = {item.get("key"): item for item in manifest.get(name, ())}
    found["actions"] = {key: {"effect": "write", **item} for key, item in found["actions"].items()}
    return {name: value for name, value in found.items() if value not in ({}, [], None)}


def _differences(published: Any, actual: Any, place: str, *, names: bool, prose: bool) -> Iterator[tuple[str, Any, Any]]:
    if not (isinstance(published, Mapping) and isinstance(actual, Mapping)):
        if published != actual or isinstance(published, bool) != isinstance(actual, bool):
            yield place, published, actual
        return
    for name in {**published, **actual}:
        if not names and not prose and name in _PROSE:
            continue
        if name == "output" and name not in published:
            continue
        here = f"{place} {name}" if place else str(name)
        of_names = name in _MAPS and not names
        yield from _differences(published.get(name, _ABSENT), actual.get(name, _ABSENT), here, names=of_names, prose=prose)


def _short(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"
