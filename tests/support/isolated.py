"""Connectors put into a home as ``jackfield install`` puts them, and a runtime that isolates
them.
"""

from __future__ import annotations

import compileall
import importlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from jackfield.catalog import Catalog, EntryPoint
from jackfield.catalog.installations import index, read_receipts
from jackfield.connector import describe
from jackfield_isolation import boot
from jackfield_store.runtime import Jackfield

ROOT = Path(__file__).parents[2]
CONNECTORS = ROOT / "tests" / "jackfield_isolation" / "connectors"
"""Sources of the connectors that are installed."""
_DESCRIBED: dict[tuple[str, str, tuple[tuple[str, str], ...]], str] = {}
"""Manifests by the module's name, its source and its dependencies."""
# else each child would, which keeps nothing
compileall.compile_dir(Path(boot.__file__).parent, maxlevels=0, quiet=2)


def install(
    home: Path,
    key: str,
    source: str,
    version: str = "1.0.0",
    files: Mapping[str, str] | None = None,
) -> Path:
    """Install a connector with this source of its module; ``files`` are its dependencies. Return
    the folder of its environment.
    """
    site = home / "connectors" / key / version / "site-packages"
    package = site / f"jackfield_{key.replace('-', '_')}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(source, encoding="utf-8")
    for name, content in (files or {}).items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content, encoding="utf-8")
    written = package.name, source, tuple(sorted((files or {}).items()))
    if written not in _DESCRIBED:
        _DESCRIBED[written] = json.dumps(_described(site, package.name))
    (package / "connector.json").write_text(_DESCRIBED[written], encoding="utf-8")
    receipt = {
        "key": key,
        "version": version,
        "name": f"jackfield-{key}",
        "entryPoint": f"{package.name}:connector",
        "paths": ["site-packages"],
    }
    (site.parent / "jackfield-receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    write_index(home)
    return site


def _described(site: Path, name: str) -> Any:
    """Describe the connector in this process, and forget its modules, so that an installed
    connector runs in a child only.
    """
    with (
        mock.patch.object(sys, "path", [str(site), *sys.path]),
        mock.patch.object(sys, "dont_write_bytecode", True),
    ):
        importlib.invalidate_caches()
        try:
            return describe(importlib.import_module(name).connector)
        finally:
            # at once: other threads import meanwhile
            for known, module in sys.modules.copy().items():
                if str(getattr(module, "__file__", "")).startswith(f"{site}/"):
                    del sys.modules[known]


def write_index(home: Path) -> None:
    """Write the index of what is installed."""
    found = index(read_receipts(str(home / "connectors")), {})
    (home / "connectors" / "installed.json").write_text(json.dumps(found), encoding="utf-8")


def install_from(home: Path, key: str, name: str, **more: Any) -> Path:
    """Install the connector whose source is the file ``name``."""
    return install(home, key, (CONNECTORS / name).read_text(encoding="utf-8"), **more)


@contextmanager
def isolating(
    home: Path, connections: Mapping[str, Any] | None = None, **more: Any
) -> Iterator[Jackfield]:
    """A runtime whose connectors are those of ``home``."""
    environment = {
        "JACKFIELD_HOME": str(home),
        "JACKFIELD_DATABASE_URL": "none",
        **more.pop("environment", {}),
    }
    with Jackfield(
        connections=[dict(connections or {})], environment={**os.environ, **environment}, **more
    ) as jackfield:
        yield jackfield


@contextmanager
def both_ways(
    home: Path, key: str, connections: Mapping[str, Any]
) -> Iterator[tuple[Jackfield, Jackfield]]:
    """A runtime with the connector ``key`` in this process, and one with it in a child; its source
    is the file ``KEY.py``.
    """
    site = install_from(home, key, f"{key}.py")
    here = Catalog([EntryPoint(key, f"jackfield_{key}:connector", f"jackfield-{key}")])
    with (
        mock.patch.object(sys, "path", [str(site), *sys.path]),
        Jackfield(connections=[connections], database_url="none", catalog=here, groups={}) as ours,
        isolating(home, connections) as isolated,
    ):
        yield ours, isolated
