"""The connectors of this tree, found by what their ``pyproject.toml`` declares."""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jackfield.connector import Connector

_FOLDERS = ("connectors", "tests/connectors")


def declared(root: Path) -> Iterator[tuple[Path, Connector]]:
    """Each package folder that holds a connector of ours, and the connector. Packages need not be
    installed.
    """
    projects = [
        path for folder in _FOLDERS for path in sorted(root.glob(f"{folder}/*/pyproject.toml"))
    ]
    sys.path[:0] = [str(path.parent) for path in projects if str(path.parent) not in sys.path]
    for path in projects:
        if (path.parent / "openapi.json").is_file():
            continue  # made from that document: it has no code
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
        for value in project.get("entry-points", {}).get("jackfield.connectors", {}).values():
            module, _, attribute = value.partition(":")
            package = path.parent / module.partition(".")[0]
            yield package, getattr(importlib.import_module(module), attribute)
