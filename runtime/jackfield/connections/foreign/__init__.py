"""Other systems' files as connections: one thin reader for each format, and the aliases that say what their names stand for."""

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
"""The formats; each is a module of this package with a function ``read``."""


def read(documents: Iterable[Document], around: Surroundings) -> Iterator[StoredConnection | Problem]:
    """The connections in documents, told apart by their content; those of one format are read together, since they refer to one another.

    A fault spoils only what it is in.
    """
    by_format: dict[str | None, list[Document]] = {}
    for document in documents:
        by_format.setdefault(document.format or recognise(document.content), []).append(document)
    components = {document.folder for document in by_format.get("dapr", ())}
    for document in by_format.get(None, ()):
        # beside components lie the files of their secret stores; a sidecar reads YAML only
        if not (document.source.lower().endswith(".json") and document.folder in components):
            yield Problem(f"{document.place}: {EXPECTED}")
    for form in FORMATS:
        if form in by_format:
            yield from import_module(f"jackfield.connections.foreign.{form}").read(by_format[form], around)
