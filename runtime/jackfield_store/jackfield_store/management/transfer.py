"""Import and export of connections as documents."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from jackfield.connections.documents import DocumentError, read_text, shown_path, split_documents
from jackfield.connections.files import connections_of, load, read_foreign
from jackfield.connections.named_connection import NamedConnection
from jackfield.connections.secret_references import references
from jackfield.kernel.dataclass import replace as changed
from jackfield.kernel.errors import Detail, InvalidConnection, JackfieldError
from jackfield.kernel.secrecy import Hidden
from jackfield_store.connections.connection_rows import join_secrets, split_secrets
from jackfield_store.management.visible_connections import table_of

if TYPE_CHECKING:
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connections.connection_types import Kinds
    from jackfield.connections.provenance import Provenance

    class ImportTarget(Protocol):
        """Port to a workspace's connections for imports."""

        known: Connections

        @property
        def kinds(self) -> Kinds:
            """Connection types that the workspace knows."""

        def add(
            self,
            name: str,
            type: str,
            values: Mapping[str, Any],
            *,
            test: bool,
            force: bool,
            provenance: Provenance,
        ) -> dict[str, Any]:
            """Validate, test and store a new connection."""

        def replace(
            self,
            name: str,
            values: Mapping[str, Any],
            *,
            test: bool,
            force: bool,
            provenance: Provenance,
        ) -> dict[str, Any]:
            """Validate, test and store new values of a stored connection."""


def _read_document(
    text: str, source: str, folder: str, *, reads_host: bool = True
) -> list[NamedConnection | str]:
    """Return the connections in ``text`` (YAML or JSON), and a sentence for each unreadable
    connection. ``source`` is the file's name.

    Documents of other systems are translated by the installed connectors. Such a document may name
    environment variables and files, which are read only if ``reads_host``, as for the operator's
    documents.

    :raises InvalidConnection: if the text is neither YAML nor JSON, or has no known format.
    """
    from jackfield.connections import formats

    rows: list[NamedConnection | str] = []
    others: list[formats.Document] = []
    unknown: list[str] = []
    known = 0
    for where, document in split_documents(text, source):
        is_own = isinstance(document, Mapping) and isinstance(document.get("connections"), Mapping)
        known += is_own
        if isinstance(document, DocumentError):
            unknown.append(f"{where}: {document}")
        elif is_own:
            rows.extend(connections_of(document, f"{source}{where}", folder))
        elif formats.recognise(document) is not None:
            others.append(formats.Document(document, source, f"{source}{where}", folder))
        else:
            unknown.append(f"{where}: {formats.expected()}")
    if not (known or others):
        raise _refusal(
            source,
            unknown[0].removeprefix(": ") if unknown else f"it is empty; {formats.expected()}",
        )
    for item in read_foreign(others, None, os.environ if reads_host else {}, reads_host=reads_host):
        if isinstance(item, formats.Disabled):
            _LOG.warning("%s; it is not imported", item.text)
        else:
            rows.append(item)
    _warn(rows)
    return [*rows, *(f"{source}{fault}" for fault in unknown)]


def _read_folder(path: str) -> list[NamedConnection | str]:
    """Return the connections in the files of a folder, and a sentence for each fault. The files are
    read together, since one may refer to another.

    :raises InvalidConnection: if the folder has no connections.
    """
    found = load([path])
    rows: list[NamedConnection | str] = [
        item for items in found.connections.values() for item in items
    ]
    for item in found.disabled:
        _LOG.warning("%s; it is not imported", item.text)
    if not (rows or found.problems or found.disabled):
        raise _refusal(path, "none of its YAML and JSON files contains connections")
    _warn(rows)
    return [*rows, *found.problems]


def _warn(rows: Iterable[NamedConnection | str]) -> None:
    """Warn about default inputs, which an import loses."""
    for item in rows:
        if isinstance(item, NamedConnection) and item.foreign is not None and item.foreign.inputs:
            names = ", ".join(
                sorted({name for inputs in item.foreign.inputs.values() for name in inputs})
            )
            _LOG.warning(
                "%s: '%s': default inputs are not stored with a connection: %s",
                item.source,
                item.name,
                names,
            )


def _refusal(source: str, reason: str) -> InvalidConnection:
    from jackfield.connections.formats import systems

    return InvalidConnection(f"{source}: {reason}", details=[Detail("", reason)], hint=systems())


_LOG = logging.getLogger("jackfield.connections")


Fill = Callable[[NamedConnection], Mapping[str, Any]]
"""Function that returns the values to add to a connection of a document."""


def imported(
    connections: ImportTarget,
    given: Hidden,
    *,
    replace: bool,
    test: bool,
    force: bool,
    provenance: Provenance,
) -> list[dict[str, Any]]:
    """Store the connections of a document one by one and return a row for each; a refused
    connection does not affect the others. ``given`` has the document, and values that override each
    connection's, or a function that returns such values for one connection.

    :raises InvalidConnection: if the document cannot be read at all.
    :raises InvalidInvocation: if there is no database.
    """
    rows: list[dict[str, Any]] = []
    first: dict[str, NamedConnection] = {}
    for item in _with(_load_connections(given.value[0], provenance), given.value[1]):
        if isinstance(item, str):
            fault = InvalidConnection(
                item,
                details=[Detail("", item)],
                hint=(
                    "If files refer to one another, import their folder. The documentation "
                    "describes the formats."
                ),
            )
            rows.append({"name": None, "type": None, "result": "refused", "error": fault.to_json()})
            continue
        row = {"name": item.name, "type": item.type}
        source = item.source if provenance.origin == "operator" else None
        try:
            _refuse_second(item, first.setdefault(item.name, item))
            done = _store_one(
                connections,
                item,
                changed(provenance, folder=item.folder, source=source),
                replace=replace,
                test=test,
                force=force,
            )
            rows.append({**row, **done})
            _warn_if_hidden(connections, item, source)
        except InvalidConnection as error:
            rows.append({**row, "result": "refused", "error": item.explain(error).to_json()})
        except JackfieldError as error:
            rows.append({**row, "result": "refused", "error": error.to_json()})
    return rows


def _load_connections(
    document: str | os.PathLike[str], provenance: Provenance
) -> list[NamedConnection | str]:
    """Read a document. Only the operator may pass a path, or a document that names files and
    variables of this host.
    """
    _check_kind(document)
    if provenance.origin != "operator":
        return _read_document(str(document), "the document", ".", reads_host=False)
    if not (isinstance(document, str) and _is_text(document)):
        path = os.path.expanduser(os.fspath(document))
        if os.path.isdir(path):
            return _read_folder(path)
    return _read_document(*_text(document))


def _check_kind(document: object) -> None:
    if not isinstance(document, (str, os.PathLike)):
        kind = type(document).__name__
        raise InvalidConnection(
            f"a document is a text or a path, not of the type '{kind[:80]}'",
            hint="Decode bytes, or give their file's path.",
        )


def _with(
    rows: Iterable[NamedConnection | str], values: Mapping[str, Any] | Fill
) -> Iterator[NamedConnection | str]:
    for row in rows:
        added = {} if isinstance(row, str) else values(row) if callable(values) else values
        yield (
            changed(row, values={**row.values, **added})
            if added and isinstance(row, NamedConnection)
            else row
        )


def _refuse_second(item: NamedConnection, first: NamedConnection) -> None:
    if item is not first:
        text = (
            f"the connection '{item.name}' is defined twice: in {first.where} and in {item.where}"
        )
        raise InvalidConnection(
            text, details=[Detail("/name", text)], hint="Rename or remove one of them."
        )


def _warn_if_hidden(connections: ImportTarget, item: NamedConnection, source: str | None) -> None:
    file = connections.known.in_files(item.name)
    if file is not None and source is not None:
        text = (
            "the connection '%s' of %s takes precedence over the stored one until the file "
            "is no longer read"
        )
        _LOG.warning(text, item.name, file.source)


def _store_one(
    connections: ImportTarget,
    item: NamedConnection,
    provenance: Provenance,
    *,
    replace: bool,
    test: bool,
    force: bool,
) -> dict[str, Any]:
    store = table_of(connections.known)
    there = store.show(item.name) if store is not None else None
    if replace and there is not None and there.type == connections.kinds.find(item.type).full_name:
        shown = connections.replace(
            item.name, item.values, test=test, force=force, provenance=provenance
        )
        return {"result": "replaced", "status": shown["status"]}
    shown = connections.add(
        item.name, item.type, item.values, test=test, force=force, provenance=provenance
    )
    return {"result": "added", "status": shown["status"]}


def _text(document: str | os.PathLike[str]) -> tuple[str, str, str]:
    """Return the text, the name of its source and the folder of its relative references."""
    if isinstance(document, str) and _is_text(document):
        return document, "the document", "."
    if isinstance(document, str) and document.startswith("$"):
        return _variable(document), document, "."
    path = os.path.expanduser(os.fspath(document))
    try:
        return read_text(path), os.path.basename(path), os.path.dirname(path) or "."
    except DocumentError as error:
        raise InvalidConnection(
            f"{shown_path(path)}: {error}", hint="Check the path and its permissions."
        ) from None


def _is_text(document: str) -> bool:
    return "\n" in document or document.lstrip().startswith(("{", "["))


def _variable(name: str) -> str:
    found = os.environ.get(name[1:])
    if found is None:
        raise InvalidConnection(
            f"{name[:81]}: the environment variable is not set",
            hint="Set it, or give the path of a file.",
        )
    return found


def exported(found: Sequence[NamedConnection], kinds: Kinds, *, secrets: bool) -> dict[str, Any]:
    """Return connections in the format of a connection file."""
    values = (
        {item.name: item.values for item in found} if secrets else without_secrets(found, kinds)
    )
    return {
        "connections": {
            item.name: {"type": item.type, "values": values[item.name]} for item in found
        }
    }


_PREFIX = "CONNECTION"


def without_secrets(
    connections: Sequence[NamedConnection], kinds: Kinds
) -> dict[str, Mapping[str, Any]]:
    """Replace each secret by a reference to its own environment variable, and return the values by
    connection name. Variables are named after connection and field; repeated exports give the same
    names.

    :raises InvalidConnection: if a type is not installed, so that its secrets are unknown.
    """
    parts = {
        item.name: split_secrets(kinds.find(item.type).schema, item.values) for item in connections
    }
    places = sorted((name, path) for name, part in parts.items() for path in part.secrets)
    taken = {
        str(name)
        for part in parts.values()
        for _, kind, name in references(part.public)
        if kind == "$env"
    }
    variables: dict[str, dict[str, bytes]] = {name: {} for name in parts}
    for name, path in places:
        variable = _free(_variable_name(name, path), taken)
        taken.add(variable)
        variables[name][path] = json.dumps({"$env": variable}).encode()
    return {name: join_secrets(dict(part.public), variables[name]) for name, part in parts.items()}


def _variable_name(name: str, path: str) -> str:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", f"{name}{path}")
    variable = re.sub(r"[^A-Za-z0-9]+", "_", words).upper()
    if variable[0].isalpha():
        return variable
    # no shell can set a variable that begins with a digit
    return f"{_PREFIX}_{variable.lstrip('_')}"


def _free(variable: str, taken: set[str]) -> str:
    """Return ``variable`` or, if it is taken, append the first number that makes it unique."""
    free, number = variable, 1
    while free in taken:
        number += 1
        free = f"{variable}_{number}"
    return free
