"""Connections from files: ``connections: {name: {type: aws-ses/awsAssumeRole, values: {…}}}``, as
YAML or JSON.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.catalog.installed import Catalog as Installed
from jackfield.connections.documents import DocumentError, read_text, shown_path, split_documents
from jackfield.connections.named_connection import (
    IN_CODE,
    NAME,
    NAME_EXPECTED,
    NamedConnection,
    Source,
    listed,
)
from jackfield.kernel.dataclass import dataclass

if TYPE_CHECKING:
    from jackfield.catalog.installed import Catalog
    from jackfield.connections.formats import Disabled, Document

_SUFFIXES = (".yaml", ".yml", ".json")
_EXPECTED = "expected 'connections: {name: {type: aws-ses/awsAssumeRole, values: {…}}}'"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Contents of files: every definition of each name, a sentence with file and member for each
    fault, and the disabled entries of other systems' files.
    """

    connections: Mapping[str, tuple[NamedConnection, ...]]
    problems: tuple[str, ...]
    disabled: tuple[Disabled, ...] = ()


def load(
    sources: Iterable[Source] | Source,
    catalog: Catalog | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Read one or more sources: files, the files of folders (not of their sub-folders), environment
    variables (``$NAME``) and mappings.

    The connectors of ``catalog`` (default: the installed ones) translate files of other systems. A
    fault affects only the entry that contains it.
    """
    environment = os.environ if environment is None else environment
    read = [item for source in listed(sources) for item in _load_source(source, environment)]
    foreign = [item for item in read if not isinstance(item, str | NamedConnection)]
    others = list(read_foreign(foreign, catalog, environment)) if foreign else []
    found: dict[str, list[NamedConnection]] = {}
    for item in (*read, *others):
        if isinstance(item, NamedConnection):
            found.setdefault(item.name, []).append(item)
    problems = tuple(item for item in (*read, *others) if isinstance(item, str))
    disabled = tuple(item for item in others if not isinstance(item, str | NamedConnection))
    return Loaded({name: tuple(items) for name, items in found.items()}, problems, disabled)


def stamp(sources: Iterable[Source]) -> tuple[object, ...]:
    """Return a value that changes with each file and folder of the sources; an empty tuple without
    files and folders.
    """
    paths = [
        os.path.expanduser(os.fspath(source))
        for source in sources
        if not isinstance(source, Mapping)
    ]
    return tuple(_stamped(path) for path in paths if not path.startswith("$"))


def _stamped(path: str) -> object:
    try:
        if not os.path.isdir(path):
            return _state(os.stat(path))
        with os.scandir(path) as found:
            return sorted(
                (item.name, _state(item.stat()))
                for item in found
                if item.name.lower().endswith(_SUFFIXES)
            )
    except OSError as error:
        return error.errno


def _state(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_mtime_ns, about.st_size, about.st_ino


def read_foreign(
    documents: Iterable[Document],
    catalog: Catalog | None,
    environment: Mapping[str, str],
    *,
    reads_host: bool = True,
) -> Iterator[NamedConnection | Disabled | str]:
    """Yield the connections in documents of other systems, the disabled entries, and a sentence for
    each fault. The documents are read together, since one may refer to another.

    Unless ``reads_host``, documents may not name files of this host.
    """
    from jackfield.connections import formats

    around = formats.Surroundings(
        lambda: catalog or Installed.installed(), environment, reads_files=reads_host
    )
    for item in formats.read(documents, around):
        yield item.text if isinstance(item, formats.Problem) else item


def _load_source(
    source: Source, environment: Mapping[str, str]
) -> Iterator[NamedConnection | Document | str]:
    if isinstance(source, Mapping):
        yield from (
            connections_of(source, IN_CODE, ".")
            if _is_own(source)
            else [_foreign(source, IN_CODE, IN_CODE, ".")]
        )
        return
    path = os.path.expanduser(os.fspath(source))
    if path.startswith("$"):
        yield from _from_variable(path, environment)
    elif os.path.isdir(path):
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            yield f"{path}: it cannot be read: {error.strerror}"
            return
        for name in names:
            if name.lower().endswith(_SUFFIXES):
                yield from _from_file(os.path.join(path, name))
    else:
        yield from _from_file(path)


def _foreign(content: object, source: str, place: str, folder: str, variable: str = "") -> Document:
    from jackfield.connections.formats import Document, format_of_variable

    return Document(
        content, source, place, folder, format_of_variable(variable) if variable else None
    )


def _is_own(mapping: Mapping[str, Any]) -> bool:
    """Return whether a mapping given in code has jackfield's own format. If unclear, return True,
    so that faults are described in terms of that format.
    """
    if "connections" in mapping or all(
        isinstance(item, Mapping) and "type" in item for item in mapping.values()
    ):
        return True
    from jackfield.connections.formats import recognise

    return recognise(mapping) is None


def _from_file(path: str) -> Iterator[NamedConnection | Document | str]:
    name = os.path.basename(path)
    try:
        text = read_text(path)
    except DocumentError as error:
        yield f"{shown_path(path)}: {error}"
        return
    yield from _from_text(text, name, path, os.path.dirname(path) or ".")


def _from_variable(
    path: str, environment: Mapping[str, str]
) -> Iterator[NamedConnection | Document | str]:
    text = environment.get(path[1:])
    if text is None:
        yield f"{path}: the environment variable '{path[1:81]}' is not set"
        return
    yield from _from_text(text, f"{path}.json", path, ".")


def _from_text(
    text: str, name: str, path: str, folder: str
) -> Iterator[NamedConnection | Document | str]:
    source = path if path.startswith("$") else name
    for where, document in split_documents(text, name):
        if isinstance(document, DocumentError):
            yield f"{path}{where}: {document}"
        elif isinstance(document, Mapping) and "connections" in document:
            yield from connections_of(document, f"{source}{where}", folder)
        else:
            yield _foreign(
                document,
                source,
                f"{source}{where}",
                folder,
                path.removeprefix("$") if path.startswith("$") else "",
            )


def connections_of(document: object, source: str, folder: str) -> Iterator[NamedConnection | str]:
    """Yield the connections of one document, and a sentence for each unreadable connection."""
    if not isinstance(document, Mapping):
        yield f"{source}: {_EXPECTED}"
        return
    entries = document.get("connections", document if source == IN_CODE else None)
    if not isinstance(entries, Mapping):
        yield f"{source}: {_EXPECTED}"
        return
    for name, entry in entries.items():
        fault = _fault(name, entry)
        if fault is None:
            yield NamedConnection(name, entry["type"], entry.get("values") or {}, source, folder)
        else:
            yield f"{source}: connection '{str(name)[:100]}': {fault}"


def _fault(name: object, entry: object) -> str | None:
    if not isinstance(name, str) or not NAME.match(name):
        return NAME_EXPECTED
    if not isinstance(entry, Mapping):
        return "must be an object with 'type' and 'values'"
    unknown = next((str(member) for member in entry if member not in ("type", "values")), None)
    if unknown is not None:
        return f"'{unknown[:80]}' is not a member of a connection; it has only 'type' and 'values'"
    if not isinstance(entry.get("type"), str):
        return "'type' must name a connection type, such as aws-ses/awsAssumeRole"
    values = entry.get("values")
    if values is not None and not isinstance(values, Mapping):
        return "'values' must be an object"
    return None
