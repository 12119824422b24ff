"""Ready connectors of the shelf as installed packages, with the addresses of a fake, and what their providers send to a server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jackfield_openapi.shelf.projects import built
from jackfield_openapi.shelf.services import read_shelf
from plugboard import declare

SHELF = Path(__file__).parents[2] / "shelf"


@cache
def manifest_of(key: str) -> Mapping[str, Any]:
    """Return the manifest of a service, as its project has it."""
    found: Mapping[str, Any] = json.loads(json.dumps(built(next(one for one in read_shelf(SHELF) if one.key == key)).manifest))
    return found


def shelve(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Write a connector without code into ``folder`` as an installed package; give the folder."""
    name = f"jackfield_{manifest['key'].replace('-', '_')}"
    (folder / name).mkdir(parents=True)
    (folder / name / "connector.json").write_text(json.dumps(manifest), encoding="utf-8")
    declare(folder, name.replace("_", "-"), "jackfield.connectors", {manifest["key"]: f"{name}:http"})
    return folder
