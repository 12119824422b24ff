"""Documents of a components folder: its YAML files, without sub-folders."""

from __future__ import annotations

import os
from collections.abc import Iterator

from jackfield.connections.documents import DocumentError, read_text, split_documents
from jackfield.connections.formats import Document, Problem, recognise

_SUFFIXES = (".yaml", ".yml")


def read_folder(path: str) -> Iterator[Document | Problem]:
    """Read the documents of a folder, or of one file; a broken document does not affect the
    others.
    """
    path = os.path.expanduser(path)
    try:
        names = sorted(os.listdir(path)) if os.path.isdir(path) else [""]
    except OSError as error:
        yield Problem(f"{path}: it cannot be read: {error.strerror}", fatal=True, path=path)
        return
    for name in names:
        file = os.path.join(path, name) if name else path
        if name and not name.lower().endswith(_SUFFIXES):
            yield from _passed_over(file)
            continue
        try:
            yield from _documents(file)
        except DocumentError as error:
            yield Problem(f"{file}: {error}", fatal=not name, path=file)


def _passed_over(file: str) -> Iterator[Problem]:
    """Report a component in a JSON file, which a sidecar does not read; ignore secrets and other
    files.
    """
    if not file.lower().endswith(".json"):
        return
    try:
        found = [recognise(content) for _, content in split_documents(read_text(file), file)]
    except DocumentError:
        return
    if "dapr" in found:
        yield Problem(
            f"{file}: the component is not read: a sidecar reads files whose names end in .yaml "
            "or .yml"
        )


def _documents(file: str) -> Iterator[Document | Problem]:
    name = os.path.basename(file)
    for where, content in split_documents(read_text(file), name):
        place = f"{name}{where}"
        if isinstance(content, DocumentError):
            yield Problem(f"{place}: {content}", path=file)
        elif isinstance(content, dict):
            yield Document(content, name, place, os.path.dirname(file) or ".")
        else:
            yield Problem(f"{place}: must be a Component, not a {type(content).__name__}")
