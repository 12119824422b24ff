"""Sources of packages as they lie in the environment of an isolated connector, which has none but
its own.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path


def sources_of(*packages: str) -> Iterator[tuple[str, str]]:
    """Yield the files of packages with their places."""
    for package in packages:
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.origin is not None
        folder = Path(found.origin).parent
        yield from (
            (f"{package}/{file.relative_to(folder)}", file.read_text(encoding="utf-8"))
            for file in folder.rglob("*.py")
        )
