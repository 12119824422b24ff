"""Import of a connector's code: the only place where the catalog runs it."""

from __future__ import annotations

import importlib
import importlib.util
import operator
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jackfield.catalog.discovery import EntryPoint

if TYPE_CHECKING:
    from jackfield.manifest import Manifest

Loader = Callable[["Manifest", EntryPoint], Any]
"""Function that returns the connector of an entry point; it may raise anything that an import may raise."""


def load_in_process(manifest: Manifest, point: EntryPoint) -> Any:
    """Import the object that ``point`` names into this process and return it.

    The environment of an installed connector is appended to ``sys.path``, so that its dependencies never replace modules of the host.

    :raises ImportError: if the package would come from elsewhere, such as another version that this process has imported.
    """
    if point.paths:
        _make_importable(manifest, point)
    return operator.attrgetter(point.attribute)(importlib.import_module(point.module))


def _make_importable(manifest: Manifest, point: EntryPoint) -> None:
    sys.path.extend(path for path in point.paths if path not in sys.path)
    importlib.invalidate_caches()
    package = point.module.partition(".")[0]
    loaded = sys.modules.get(package)
    spec = importlib.util.find_spec(package) if loaded is None else loaded.__spec__
    origin = (spec.origin if spec is not None else None) or "nowhere"
    if not origin.startswith(tuple(os.path.join(path, "") for path in point.paths)):
        raise ImportError(
            f"its package '{package}' {manifest.version} is hidden by another of this process, from {os.path.dirname(origin)}"
        )
