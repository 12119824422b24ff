"""Connectors put into a home as ``jackfield install`` puts them, and a runtime that isolates them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jackfield import Jackfield
from jackfield.catalog.installations import index, read_receipts

ROOT = Path(__file__).parents[2]
CONNECTORS = ROOT / "tests" / "isolation" / "connectors"
"""Sources of the connectors that are installed."""
_DESCRIBE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from jackfield.connector import describe
print(json.dumps(describe(__import__(sys.argv[2]).connector)))
"""


def install(home: Path, key: str, source: str, version: str = "1.0.0", files: Mapping[str, str] | None = None) -> Path:
    """Install a connector with this source of its module; ``files`` are its dependencies. Return the folder of its environment."""
    site = home / "connectors" / key / version / "site-packages"
    package = site / f"jackfield_{key.replace('-', '_')}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(source, encoding="utf-8")
    for name, content in (files or {}).items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content, encoding="utf-8")
    described = subprocess.run([sys.executable, "-c", _DESCRIBE, str(site), package.name], check=True, capture_output=True, text=True)
    (package / "connector.json").write_text(described.stdout, encoding="utf-8")
    receipt = {
        "key": key, "version": version, "name": f"jackfield-{key}", "entryPoint": f"{package.name}:connector", "paths": ["site-packages"],
    }  # fmt: skip
    (site.parent / "jackfield-receipt.json").write_text(json.dumps(receipt), encoding="utf-8")
    write_index(home)
    return site


def write_index(home: Path) -> None:
    """Write the index of what is installed."""
    found = index(read_receipts(str(home / "connectors")), {})
    (home / "connectors" / "installed.json").write_text(json.dumps(found), encoding="utf-8")


def install_from(home: Path, key: str, name: str, **more: Any) -> Path:
    """Install the connector whose source is the file ``name``."""
    return install(home, key, (CONNECTORS / name).read_text(encoding="utf-8"), **more)


@contextmanager
def isolating(home: Path, connections: Mapping[str, Any] | None = None, **more: Any) -> Iterator[Jackfield]:
    """A runtime whose connectors are those of ``home``."""
    environment = {"JACKFIELD_HOME": str(home), "JACKFIELD_DATABASE_URL": "none", **more.pop("environment", {})}
    with Jackfield(connections=[dict(connections or {})], environment={**os.environ, **environment}, **more) as jackfield:
        yield jackfield
