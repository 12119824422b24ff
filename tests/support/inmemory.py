"""Connectors that a test makes as objects, installed for that test: a manifest in a folder, and a
module that is only in memory.

The catalog reads and imports them as it does any installed connector.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from jackfield.catalog import Catalog, EntryPoint
from jackfield.connector import Connector, describe


@contextmanager
def installed(
    folder: Path, *connectors: Connector, manifests: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[Catalog]:
    """A catalog of ``connectors``. ``manifests`` says, by key, what is in ``connector.json`` where
    it is not what ``describe`` says.
    """
    modules = {
        f"jackfield_memory_{connector.key.replace('-', '_')}": connector for connector in connectors
    }
    for name, connector in modules.items():
        package = folder / name
        package.mkdir(parents=True)
        manifest = (manifests or {}).get(connector.key) or describe(connector)
        (package / "connector.json").write_text(json.dumps(manifest), encoding="utf-8")
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None, is_package=True)
        module.__spec__.submodule_search_locations = [str(package)]
        module.__dict__["connector"] = connector
        sys.modules[name] = module
    try:
        yield Catalog(
            [
                EntryPoint(connector.key, f"{name}:connector", f"jackfield-{connector.key}")
                for name, connector in modules.items()
            ]
        )
    finally:
        for name in modules:
            del sys.modules[name]
