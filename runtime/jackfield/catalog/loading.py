"""Import of the objects that packages declare in entry points: the code of a connector's version,
in this or another process, and parts of the host. Only here does the catalog run a connector's
code. The runner of isolated connectors is imported with the first of them. The module also makes
the errors for connectors that are missing, with the cause, or that cannot be used.
"""

from __future__ import annotations

import importlib.util
import json
import operator
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from jackfield.catalog.discovery import EntryPoint, entry_points, metadata_fault, read_bytes
from jackfield.kernel.errors import InvalidInvocation, UnknownConnector, did_you_mean
from jackfield.kernel.failures import BrokenPart, loaded
from jackfield.kernel.fork import without_fork
from jackfield.kernel.hints import NextStep
from jackfield.manifest.reading import HOST, MANIFEST

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from jackfield.catalog.discovery import EntryPoint
    from jackfield.manifest.manifest import Manifest

    class Children(Protocol):
        """Child processes that the part ``isolation`` makes from an environment."""

        def load(self, manifest: Manifest, point: EntryPoint) -> Any:
            """Return a stand-in for the connector that ``point`` names."""

        def processes(self) -> list[int]:
            """Return the process IDs of the running children."""

        def ends(self) -> dict[str, int]:
            """Return the number of children that ended by themselves or were ended for
            misbehaviour, by connector.
            """

        def close(self) -> None:
            """End all children."""

    from importlib.machinery import ModuleSpec


REINSTALL = "Reinstall or upgrade the connector's package, or report it to its author."
_NAME = re.compile("[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_KEEP = (
    "Install it with pip or uv, or keep the folder '*.dist-info' beside it: tools that make "
    "archives small leave it out."
)
BINDINGS = "jackfield.bindings"
"""Group of entry points that libraries of connectors declare for their kind. A name ``KIND`` makes
connectors from manifests without code; a name with a role (``aws.source``) is looked up by
``of_role``.
"""
LIVE = "live"
"""Role of a package that makes connectors from servers, whose manifests workspaces store. The keys
of such connectors begin with the kind and a dot.
"""
SOURCE = "source"
"""Role of a package that describes a family of connectors on demand, whose keys begin with the kind
and a dot.
"""
PARTS = "jackfield.parts"
"""Group of entry points for a runtime's parts beyond the framework."""
_ISOLATION = "isolation"
_FOUND: dict[str, Any] = {}
_APART = frozenset({"jackfield.connectors", "jackfield.plugins", "jackfield.lets_out"})
"""Groups of entry points that are examined elsewhere, or that name classes of libraries that need
not be installed.
"""
_SLOW = 2.0
"""Seconds above which an import is logged as slow."""
_DEBUG = 10
"""Number of the log level ``logging.DEBUG``."""
Loader = Callable[["Manifest", EntryPoint], "Any"]
"""Function that returns the connector of an entry point; it may raise any exception that an import
may raise.
"""


def load_in_process(manifest: Manifest, point: EntryPoint) -> Any:
    """Import the object that ``point`` names into this process and return it; log an import that
    takes more than ``_SLOW`` seconds.
    """
    began = time.perf_counter() - _queued()
    found = connector_at(point.module, point.attribute, manifest)
    seconds = time.perf_counter() - _queued() - began
    if seconds > _SLOW:
        _log_slow(manifest.key, point.module, seconds)
    return found


def _queued() -> float:
    """Return the seconds for which this thread has waited for a processor, which are not the
    connector's fault; 0 on systems without this figure (Linux's
    Documentation/scheduler/sched-stats).
    """
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _log_slow(key: str, module: str, seconds: float) -> None:
    said = (
        "the import of connector '%s' took %.1f s, and the first call of a process waits for "
        "it: move work from '%s' into functions"
    )
    _log().warning(said, key, seconds, module)


def log_broken(key: str, error: Exception) -> None:
    """Log why a connector cannot be imported, with the author's own line, and at the level DEBUG
    with the traceback.
    """
    from jackfield.kernel.places import frames_of, place_of

    log = _log()
    frames = frames_of(error) if log.isEnabledFor(_DEBUG) else ""
    log.error(
        "the connector '%s' fails on import: %s: %s%s%s",
        key,
        type(error).__name__,
        error,
        place_of(error),
        frames,
    )


def _log() -> Any:
    import logging  # a cold command does without

    return logging.getLogger("jackfield.connector")


def connector_at(module: str, attribute: str, manifest: Manifest | None = None) -> Any:
    """Return the connector at ``module:attribute``. For a package without code, ``attribute`` is
    the kind of binding of its actions, and the entry point of that name in the group
    ``jackfield.bindings`` makes the connector from ``manifest``.

    :raises ImportError: if the connector cannot be imported, or no installed package knows the
        binding.
    """
    found = importlib.import_module(module)
    if getattr(found, "__file__", None) is not None or hasattr(found, attribute.partition(".")[0]):
        return operator.attrgetter(attribute)(found)
    if manifest is None:
        return bound(attribute, _whole(found.__path__[0]))
    return _binding(attribute, isolated=False)(manifest.raw, _row_of(manifest))


def bound(attribute: str, raw: Any) -> Any:
    """Return the connector of a package without code: ``attribute`` is the kind of binding, ``raw``
    the content of its connector.json.

    :raises ImportError: if no installed package knows the binding.
    """
    return _binding(attribute, isolated=True)(raw)


def _binding(attribute: str, *, isolated: bool) -> Callable[..., Any]:
    found: Callable[..., Any] | None = declared(BINDINGS, attribute, isolated=isolated)
    if found is None:
        raise ImportError(
            f"no installed package binds actions to '{attribute[:80]}'; the package "
            f"jackfield-{attribute[:80]} may do so"
        )
    return found


def declared(group: str, name: str, *, isolated: bool = False) -> Any:
    """Import the object that an installed package declares as ``name`` in a group of entry points;
    return None if no package does.

    ``isolated`` also reads environments of installed connectors, as ``entry_points`` does.

    :raises BrokenPart: if the object cannot be imported, or two packages declare it.
    """
    return _declared(group, name, entry_points(isolated=isolated))


def _declared(group: str, name: str, groups: Mapping[str, Sequence[EntryPoint]]) -> Any:
    points = [point for point in groups.get(group, ()) if point.name == name]
    return of_one(points, f"{group.removeprefix('jackfield.')} entry point")


def lacks_extra(group: str, name: str) -> bool:
    """Return whether an entry point of jackfield's installed packages needs an extra that is not
    installed.
    """
    _, extra = _above().DECLARED.get(group, {}).get(name, ("", ""))
    needed = _above().NEEDS.get(extra)
    return needed is not None and _find_spec(needed) is None


def _above() -> Any:
    from jackfield.kernel import packages

    return packages


def package_of(group: str, name: str | None = None) -> tuple[str, str]:
    """Return the package of jackfield that declares an entry point, by default any of a group, and
    the command that installs it.

    :raises KeyError: if no package does.
    """
    points = _above().DECLARED[group]
    package, extra = points[next(iter(points)) if name is None else name]
    return package, f"pip install 'jackfield[{extra}]'" if extra else f"pip install {package}"


def chosen(group: str, name: str) -> Any:
    """Import the object that the operator has chosen, as ``declared`` does; return None also if it
    needs an extra that is not installed.

    :raises InvalidInvocation: if the object cannot be imported, or two packages declare it.
    """
    return None if lacks_extra(group, name) else _chosen(group, name, entry_points())


def _chosen(group: str, name: str, groups: Mapping[str, Sequence[EntryPoint]]) -> Any:
    try:
        return _declared(group, name, groups)
    except BrokenPart as error:
        raise InvalidInvocation(
            str(error), hint="Reinstall or upgrade the package, or uninstall one of two."
        ) from error


def part(name: str, groups: Mapping[str, Sequence[EntryPoint]] | None = None) -> Any:
    """Import a part of a runtime from an installed package; return None if no package has it. It is
    looked up once per process.

    Parts are ``store`` and ``management`` (storage and its management), ``platform`` (events,
    schedules, subscriptions), ``search`` and ``search-listing``, ``stored-manifests`` and
    ``webhook-samples``, ``testing`` (of ``jackfield.testing``) and ``trying`` (a first read).
    ``isolation`` starts child processes. A server mounts parts, too. ``groups`` are the entry
    points, if they have been read already.

    :raises InvalidInvocation: if the part cannot be imported, or two packages have it.
    """
    if name not in _FOUND:
        # Two threads that import modules of one circle in two orders see halves of them.
        with without_fork():
            if name not in _FOUND:
                _FOUND[name] = _chosen(PARTS, name, entry_points() if groups is None else groups)
    return _FOUND[name]


def of_role(
    group: str, role: str, groups: Mapping[str, Sequence[EntryPoint]] | None = None
) -> list[EntryPoint]:
    """Return the entry points of a group whose names end in a dot and ``role``, with that ending
    removed.
    """
    points, ending = (entry_points() if groups is None else groups).get(group, ()), f".{role}"
    return [
        EntryPoint(point.name[: -len(ending)], point.value, point.distribution)
        for point in points
        if point.name.endswith(ending)
    ]


def package_folders() -> Iterator[str]:
    """Yield the folders of packages with entry points of jackfield, the framework's own folder
    last. Nothing is imported.
    """
    packages = {
        point.module.partition(".")[0] for points in entry_points().values() for point in points
    }
    for package in (*sorted(packages - {"jackfield"}), "jackfield"):
        spec = _find_spec(package)
        yield from (spec.submodule_search_locations or ()) if spec is not None else ()


def has_part(name: str) -> bool:
    """Return whether an installed package has a part, without importing it."""
    return any(point.name == name for point in entry_points().get(PARTS, ()))


def of_one(points: Sequence[EntryPoint], noun: str) -> Any:
    """Import the object of a single entry point; return None if there is no entry point.

    :raises BrokenPart: if the object cannot be imported, or there are several, one of which could
        be an impostor.
    """
    if len(points) > 1:
        raise BrokenPart(
            noun,
            points[0],
            f"it is declared twice, by {' and '.join(point.distribution for point in points)}",
        )
    return loaded(points[0], noun) if points else None


def broken_parts(groups: Mapping[str, Sequence[EntryPoint]]) -> Iterator[str]:
    """Import all parts that installed packages declare. Yield the message for each part that cannot
    be loaded, with its distribution.
    """
    for group, points in groups.items():
        for name in dict.fromkeys(point.name for point in points) if group not in _APART else ():
            if lacks_extra(group, name):
                continue
            try:
                of_one(
                    [point for point in points if point.name == name],
                    f"{group.removeprefix('jackfield.')} entry point",
                )
            except BrokenPart as error:
                yield str(error)


def _row_of(manifest: Manifest) -> Callable[[str], Any]:
    """Return the function that finds the row of an action, whose output has the definitions to
    which it refers.
    """

    def row_of(key: str) -> Any:
        action = manifest.actions[key]
        row = action.content.row
        return row if action.definitions is None else {**row, "output": action.output}

    return row_of


def _whole(folder: str) -> Any:
    return json.loads(read_bytes(os.path.join(folder, "connector.json")))


def refuse_installed(manifest: Manifest, _point: EntryPoint) -> Any:
    """Refuse a connector of the data folder, in a catalog that has no processes for such
    connectors.

    :raises ImportError: always.
    """
    raise ImportError(
        f"'{manifest.key}' {manifest.version} of the data folder runs in a process of its own, "
        "and this program starts none"
    )


def unknown_connector(
    key: str,
    known: Iterable[str],
    shown: Callable[[str], bool] | None = None,
    *,
    is_whole: bool = False,
) -> UnknownConnector:
    """Return the error for a connector that is not among ``known``, with a suggestion or, if the
    list ``is_whole``, the cause. ``shown`` returns whether the caller may see a name. For a service
    of a source, only such services are suggested.
    """
    found = _cause(key) if is_whole else None
    tail = (
        f": {found[0]}"
        if found
        else did_you_mean(key, (name for name in known if "." in name or "." not in key), shown)
    )
    return UnknownConnector(
        f"no connector '{key[:80]}' is installed{tail}",
        hint=found[1] if found else NextStep("connectors"),
    )


def _cause(key: str) -> tuple[str, str] | None:
    """Return why a connector is missing although its package is installed, and the remedy; None if
    the package is not installed.
    """
    if key == HOST:
        return (
            "this process declares no function with an effect",
            "Start it with '--import MODULE', the module that declares it.",
        )
    module, name = f"jackfield_{key.replace('-', '_')}", f"jackfield-{key}"
    found = _find_spec(module) if len(key) <= 80 and _NAME.fullmatch(key) else None
    if found is None:
        return None
    fault = metadata_fault(name)
    if fault is None:
        return (
            (
                f"the module {module} can be imported, but the metadata of {name} is missing, "
                "which declares the connector"
            ),
            _KEEP,
        )
    if fault:
        return (
            f"the metadata of {name} cannot be read ({fault})",
            "Make it readable, or install the package again.",
        )
    folders = found.submodule_search_locations or ()
    if any(os.path.isfile(os.path.join(folder, MANIFEST)) for folder in folders):
        return (
            (
                f"the module {module} can be imported, but the metadata of {name} declares no "
                "connector"
            ),
            REINSTALL,
        )
    return None  # a library without a connector


def _find_spec(module: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None


def declared_twice(key: str, points: list[EntryPoint]) -> UnknownConnector:
    """Return the error for a connector that two distributions declare."""
    owners = " and ".join(
        dict.fromkeys(
            f"{point.distribution} (data folder)" if point.version else point.distribution
            for point in points
        )
    )
    undo = (
        f"jackfield uninstall {key}"
        if points[-1].version
        else f"pip uninstall {points[-1].distribution}"
    )
    return broken_connector(
        f"the connector '{key}' is declared twice, by {owners}: neither is used, since either "
        "could be an impostor",
        f"Uninstall the one that you do not trust, for example: {undo}.",
    )


def broken_connector(message: str, hint: str = REINSTALL) -> UnknownConnector:
    """Return the error for a connector that is installed and cannot be used."""
    return UnknownConnector(message, hint=hint)


class Isolated:
    """Child processes of the isolated connectors of one catalog. Until the first connector is
    loaded, nothing is imported or started.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._made: dict[str, Children] = {}

    def load(self, manifest: Manifest, point: EntryPoint) -> Any:
        """Start the connector that ``point`` names in a child, and return its stand-in.

        :raises ImportError: if the connector cannot run, or no installed package isolates
            connectors.
        :raises Unavailable: if it cannot be started now.
        """
        return self._children(manifest).load(manifest, point)

    def _children(self, manifest: Manifest) -> Children:
        found = self._made.get("")
        if found is None:
            make = declared(PARTS, _ISOLATION)
            if make is None:
                package, command = package_of(PARTS, _ISOLATION)
                text = f"runs in a process of its own, which needs the package {package}: {command}"
                raise ImportError(f"'{manifest.key}' {manifest.version} {text}")
            # of two threads, the first one's
            found = self._made.setdefault("", make(self._environment))
        return found

    def processes(self) -> list[int]:
        """Return the process IDs of the running children."""
        return [number for made in self._made.values() for number in made.processes()]

    def ends(self) -> dict[str, int]:
        """Return the number of children that ended by themselves or were ended for misbehaviour, by
        connector.
        """
        return {key: count for made in self._made.values() for key, count in made.ends().items()}

    def close(self) -> None:
        """End all children."""
        for made in self._made.values():
            made.close()


def choose(key: str, versions: Sequence[str], specifier: str) -> str:
    """Return the highest of ``versions`` that ``specifier`` allows; a prerelease only if no final
    version matches.

    :raises UnknownConnector: if no version matches, or the specifier is not valid.
    """
    from packaging.version import Version

    try:
        fitting = _fitting(versions, specifier)
    except ValueError:  # InvalidSpecifier, or int() refusing too many digits
        raise UnknownConnector(
            f"'{specifier[:80]}' is not a version specifier",
            hint="Give a PEP 440 specifier such as '>=1.2,<2' as connectorVersion.",
        ) from None
    if not fitting:
        have = (
            f"version {versions[0]} is"
            if len(versions) == 1
            else f"versions {', '.join(versions)} are"
        )
        raise UnknownConnector(
            f"no installed version of '{key}' matches '{specifier[:80]}'; {have} installed",
            hint="Install a matching version, or widen connectorVersion.",
        )
    if len(fitting) == 1:  # perhaps not of PEP 440, and allowed by '==='
        return fitting[0]
    return max(fitting, key=lambda version: (not Version(version).is_prerelease, Version(version)))


def _fitting(versions: Sequence[str], specifier: str) -> list[str]:
    from packaging import specifiers, version

    wanted, found = specifiers.SpecifierSet(specifier), []
    for text in versions:
        try:
            fits = wanted.contains(text, prereleases=True)
        except version.InvalidVersion:
            # of packaging before 26, for a version that is not of PEP 440
            fits = str(wanted) == f"==={text}"
        if fits:
            found.append(text)
    return found
