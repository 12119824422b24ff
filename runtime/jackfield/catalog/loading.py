"""Import of what packages declare in entry points: a connector's code (the only place where the catalog runs it), and parts of the host."""

from __future__ import annotations

import importlib
import json
import operator
import os
import time
from collections.abc import Callable

from jackfield.catalog.discovery import EntryPoint, entry_points

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

    from jackfield.manifest import Manifest

_BINDINGS = "jackfield.bindings"
_SLOW = 2.0
"""Seconds."""
_DEBUG = 10
"""``logging.DEBUG``."""
Loader = Callable[["Manifest", EntryPoint], "Any"]
"""Function that returns the connector of an entry point; it may raise anything that an import may raise."""


def load_in_process(manifest: Manifest, point: EntryPoint) -> Any:
    """Import the object that ``point`` names into this process and return it; log an import that takes more than ``_SLOW`` seconds."""
    began = time.perf_counter() - _queued()
    found = connector_at(point.module, point.attribute, manifest)
    seconds = time.perf_counter() - _queued() - began
    if seconds > _SLOW:
        _log_slow(manifest.key, point.module, seconds)
    return found


def _queued() -> float:
    """Return the seconds that this thread has waited for a processor, which are the machine's and not the connector's; 0 where the system
    does not tell (Linux's Documentation/scheduler/sched-stats)."""
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _log_slow(key: str, module: str, seconds: float) -> None:
    said = "the import of connector '%s' took %.1f s, and the first call of a process waits for it: move work from '%s' into functions"
    _log().warning(said, key, seconds, module)


def log_broken(key: str, error: Exception) -> None:
    """Log why a connector cannot be imported, with the author's own line, and at the level DEBUG with the traceback."""
    from jackfield.kernel.places import frames_of, place_of

    log = _log()
    frames = frames_of(error) if log.isEnabledFor(_DEBUG) else ""
    log.error("the connector '%s' fails on import: %s: %s%s%s", key, type(error).__name__, error, place_of(error), frames)


def _log() -> Any:
    import logging  # a cold command does without

    return logging.getLogger("jackfield.connector")


def connector_at(module: str, attribute: str, manifest: Manifest | None = None) -> Any:
    """Return the connector at ``module:attribute``. For a package without code, ``attribute`` is the kind of binding of its actions, and
    the entry point of that name in the group ``jackfield.bindings`` makes the connector from ``manifest``.

    :raises ImportError: if it cannot be imported, or no installed package knows the binding.
    """
    found = importlib.import_module(module)
    if getattr(found, "__file__", None) is not None or hasattr(found, attribute.partition(".")[0]):
        return operator.attrgetter(attribute)(found)
    if manifest is None:
        return bound(attribute, _whole(found.__path__[0]))
    return _binding(attribute, isolated=False)(manifest.raw, _row_of(manifest))


def bound(attribute: str, raw: Any) -> Any:
    """Return the connector of a package without code: ``attribute`` is the kind of binding, ``raw`` its whole connector.json.

    :raises ImportError: if no installed package knows the binding.
    """
    return _binding(attribute, isolated=True)(raw)


def _binding(attribute: str, *, isolated: bool) -> Callable[..., Any]:
    found: Callable[..., Any] | None = declared(_BINDINGS, attribute, isolated=isolated)
    if found is None:
        raise ImportError(f"no installed package binds actions to '{attribute[:80]}'; the package jackfield-{attribute[:80]} may do so")
    return found


def declared(group: str, name: str, *, isolated: bool = False) -> Any:
    """Import the object that an installed package declares as ``name`` in a group of entry points; return None if no package does.

    ``isolated`` also reads environments of installed connectors, as ``entry_points`` does.

    :raises ImportError: if it cannot be imported.
    """
    point = next((point for point in entry_points(isolated=isolated).get(group, ()) if point.name == name), None)
    return None if point is None else operator.attrgetter(point.attribute)(importlib.import_module(point.module))


def _row_of(manifest: Manifest) -> Callable[[str], Any]:
    """Return the function that finds the JSON of an action, which "raw" may leave out."""
    return lambda key: manifest.actions[key].content.row


def _whole(folder: str) -> Any:
    with open(os.path.join(folder, "connector.json"), encoding="utf-8") as file:
        return json.load(file)


def refuse_installed(manifest: Manifest, _point: EntryPoint) -> Any:
    """Refuse a connector of the data folder, in a catalog that has no processes to run it in.

    :raises ImportError: always.
    """
    raise ImportError(f"'{manifest.key}' {manifest.version} of the data folder runs in a process of its own, and this catalog has none")
