"""What is installed, at once; code on demand. Standard library only.

Names are imported when they are first asked for (PEP 562): a cold ``jackfield --help`` reads entry points and no manifests.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost a cold --help as much as Python's start
if TYPE_CHECKING:
    from jackfield.catalog.discovery import EntryPoint, entry_points
    from jackfield.catalog.installed import Catalog, Entry
    from jackfield.catalog.ranking import Found, search

__all__ = ["Catalog", "Entry", "EntryPoint", "Found", "entry_points", "search"]

_HOMES = {
    "Catalog": "installed",
    "Entry": "installed",
    "EntryPoint": "discovery",
    "Found": "ranking",
    "entry_points": "discovery",
    "search": "ranking",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'jackfield.catalog' has no attribute '{name}'")
    from importlib import import_module  # noqa: PLC0415 (as lazily as the names)

    found = getattr(import_module(f"jackfield.catalog.{_HOMES[name]}"), name)
    globals()[name] = found  # so that it is asked for once
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
