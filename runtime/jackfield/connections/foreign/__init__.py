"""Connections from other systems' files: one thin reader for each format, and the aliases that translate their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from jackfield.connections.foreign.place import Document, Problem, Surroundings
from jackfield.connections.foreign.recognise import EXPECTED, recognise

if TYPE_CHECKING:
    from jackfield.connections.stored import StoredConnection

__all__ = ["EXPECTED", "FORMATS", "Document", "Problem", "Surroundings", "read", "recognise"]

FORMATS = ("dapr", "thand", "vcap", "prismatic")
"""Formats; each is a module of this package with a function ``read``."""


def read(documents: Iterable[Document], around: Surroundings) -> Iterator[StoredConnection | Problem]:
    """Yield the connections in documents, whose formats are recognised by content. Documents of one format are read together, since
    they may refer to one another.

    A fault affects only the entry that contains it.
    """
    by_format: dict[str | None, list[Document]] = {}
    for document in documents:
        by_format.setdefault(document.format or recognise(document.content), []).append(document)
    components = {document.folder for document in by_format.get("dapr", ())}
    for document in by_format.get(None, ()):
        # Folders of components also contain the files of their secret stores; a sidecar reads only YAML as components.
        if not (document.source.lower().endswith(".json") and document.folder in components):
            yield Problem(f"{document.place}: {EXPECTED}")
    for form in FORMATS:
        if form in by_format:
            yield from import_module(f"jackfield.connections.foreign.{form}").read(by_format[form], around)
