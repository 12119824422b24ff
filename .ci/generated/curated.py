"""The connectors of this tree that are made from an OpenAPI document and an overlay, as ``jackfield
generate openapi`` writes them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jackfield_openapi.conversion import Choices, converted
from jackfield_openapi.overlay import applied
from jackfield_openapi.project import LOCK, SUGGESTED, Lock, files_of
from jackfield_openapi.reading import parsed

DOCUMENT = "openapi.json"
_OWN = frozenset({"pyproject.toml", "README.md", SUGGESTED})
"""Files of the project that are written by hand, or that nobody keeps."""


def projects(root: Path) -> list[Path]:
    """Their folders."""
    return sorted(path.parent for path in root.glob(f"connectors/*/{DOCUMENT}"))


def files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each generated file of a project and what it must hold."""
    for name, content in _made(folder)[1].items():
        if name not in _OWN and not name.startswith("tests/"):
            yield folder / name, content.decode()


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a project, made anew."""
    return _made(folder)[0]


@cache
def _made(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    content = (folder / DOCUMENT).read_bytes()
    document = parsed(content, DOCUMENT)
    overlay = folder / "overlay.yaml"
    idle = applied(document, parsed(overlay.read_bytes(), overlay.name), overlay.name)
    if idle:
        raise SystemExit(f"{overlay}: {idle[0]} selects nothing")
    lock = Lock.read(folder / LOCK)
    made = converted(
        document, Choices(folder.name, project["version"], locked=lock.actions, source=DOCUMENT)
    )
    return made.manifest, files_of(made, DOCUMENT, content, ())
