"""The documents of a components folder, as a sidecar finds them: its YAML files, not those of sub-folders."""

from __future__ import annotations

import os
from collections.abc import Iterator

from jackfield.connections.documents import DocumentError, parted, read_text
from jackfield.connections.foreign import Document, Problem

__all__ = ["read_folder"]

_SUFFIXES = (".yaml", ".yml")


def read_folder(path: str) -> Iterator[Document | Problem]:
    """The documents in a folder, or in one file; a broken one spoils only itself."""
    path = os.path.expanduser(path)  # noqa: PTH111 (as connection files are read)
    try:
        names = sorted(os.listdir(path)) if os.path.isdir(path) else [""]  # noqa: PTH112, PTH208 (as above)
    except OSError as error:
        yield Problem(f"{path}: it cannot be read: {error.strerror}", fatal=True)
        return
    for name in names:
        file = os.path.join(path, name) if name else path  # noqa: PTH118 (as above)
        if name and not name.lower().endswith(_SUFFIXES):
            continue
        try:
            yield from _documents(file)
        except DocumentError as error:
            yield Problem(f"{file}: {error}", fatal=not name)


def _documents(file: str) -> Iterator[Document | Problem]:
    name = os.path.basename(file)  # noqa: PTH119 (as above)
    for where, content in parted(read_text(file), name):
        place = f"{name}{where}"
        if isinstance(content, DocumentError):
            yield Problem(f"{place}: {content}")
        elif isinstance(content, dict):
            yield Document(content, name, place, os.path.dirname(file) or ".")  # noqa: PTH120 (as above)
        else:
            yield Problem(f"{place}: must be a Component, not a {type(content).__name__}")
