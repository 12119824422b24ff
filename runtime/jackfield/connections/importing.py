"""Import of connections from documents: jackfield's own format, and readers of other formats."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from jackfield.connections.documents import DocumentError, parted
from jackfield.connections.files import Foreign, connections_of, load, read_foreign
from jackfield.connections.stored import StoredConnection
from jackfield.errors import Detail, InvalidConnection

if TYPE_CHECKING:
    from jackfield.catalog import Catalog

__all__ = ["READERS", "OwnFormat", "Reader", "read_document", "read_folder"]

_LOG = logging.getLogger("jackfield.connections")


class Reader(Protocol):
    """Reader of one format. ``title`` names the format for people."""

    @property
    def title(self) -> str:
        """Name of the format for people."""

    def knows(self, document: object) -> bool:
        """Return whether the document has this format."""

    def read(self, document: object, source: str, folder: str) -> Iterator[StoredConnection | str]:
        """Yield its connections, and a sentence for each one that cannot be read."""


class OwnFormat:
    """``connections: {name: {type: aws-ses/awsAssumeRole, values: {…}}}``, the format of connection files."""

    title = "jackfield"

    def knows(self, document: object) -> bool:
        """Return whether the document has a member ``connections``."""
        return isinstance(document, Mapping) and isinstance(document.get("connections"), Mapping)

    def read(self, document: object, source: str, folder: str) -> Iterator[StoredConnection | str]:
        """Yield its connections, and a sentence for each one that cannot be read."""
        return connections_of(document, source, folder)


READERS: Sequence[Reader] = (OwnFormat(),)
"""All known formats; the first reader that knows a document reads it."""


def read_document(
    text: str,
    source: str,
    folder: str,
    readers: Sequence[Reader] = READERS,
    catalog: Catalog | None = None,
    *,
    reads_host: bool = True,
) -> list[StoredConnection | str]:
    """Return the connections in ``text`` (YAML or JSON), and a sentence for each one that cannot be read. ``source`` is the file's
    name.

    Documents that none of the ``readers`` knows may come from another system; the connectors of ``catalog`` translate those. Such a
    document may name environment variables and files, which are read only if ``reads_host``, as for the operator's documents.

    :raises InvalidConnection: if the text is neither YAML nor JSON, or has no known format.
    """
    from jackfield.connections import foreign

    rows: list[StoredConnection | str] = []
    others: list[Foreign] = []
    unknown: list[str] = []
    known = 0
    for where, document in parted(text, source):
        reader = next((reader for reader in readers if reader.knows(document)), None)
        known += reader is not None
        if isinstance(document, DocumentError):
            unknown.append(f"{where}: {document}")
        elif reader is not None:
            rows.extend(reader.read(document, f"{source}{where}", folder))
        elif foreign.recognise(document) is not None:
            others.append(Foreign(document, source, f"{source}{where}", folder))
        else:
            unknown.append(f"{where}: {foreign.EXPECTED}")
    if not (known or others):
        raise _refused(source, unknown[0].removeprefix(": ") if unknown else f"it is empty; {foreign.EXPECTED}")
    rows.extend(read_foreign(others, catalog, os.environ if reads_host else {}, reads_host=reads_host))
    _warn(rows)
    return [*rows, *(f"{source}{fault}" for fault in unknown)]


def read_folder(path: str, catalog: Catalog | None = None) -> list[StoredConnection | str]:
    """Return the connections in the files of a folder, and a sentence for each fault. The files are read together, since one may refer
    to another.

    :raises InvalidConnection: if there are none.
    """
    found = load([path], catalog)
    rows: list[StoredConnection | str] = [item for items in found.connections.values() for item in items]
    if not (rows or found.problems):
        raise _refused(path, "none of its YAML and JSON files has connections")
    _warn(rows)
    return [*rows, *found.problems]


def _warn(rows: Iterable[StoredConnection | str]) -> None:
    """Warn about default inputs, which an import loses."""
    for item in rows:
        if isinstance(item, StoredConnection) and item.foreign is not None and item.foreign.inputs:
            names = ", ".join(sorted({name for inputs in item.foreign.inputs.values() for name in inputs}))
            _LOG.warning("%s: '%s': default inputs are not kept with a stored connection: %s", item.source, item.name, names)


def _refused(source: str, reason: str) -> InvalidConnection:
    hint = "A file may be of our own format, or one of Dapr, Thand, SAP BTP or Prismatic; the documentation shows them all."
    return InvalidConnection(f"{source}: {reason}", details=[Detail("", reason)], hint=hint)
