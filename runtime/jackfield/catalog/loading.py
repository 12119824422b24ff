"""Import of a connector's code: the only place where the catalog runs it."""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jackfield.catalog.discovery import EntryPoint

if TYPE_CHECKING:
    from jackfield.manifest import Manifest

Loader = Callable[["Manifest", EntryPoint], Any]
"""Function that returns the connector of an entry point; it may raise anything that an import may raise."""


def load_in_process(_manifest: Manifest, point: EntryPoint) -> Any:
    """Import the object that ``point`` names into this process and return it."""
    return operator.attrgetter(point.attribute)(importlib.import_module(point.module))


def refuse_installed(manifest: Manifest, _point: EntryPoint) -> Any:
    """Refuse a connector of the data folder, in a catalog that has no processes to run it in.

    :raises ImportError: always.
    """
    raise ImportError(f"'{manifest.key}' {manifest.version} of the data folder runs in a process of its own, and this catalog has none")
