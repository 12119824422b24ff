"""Connections from documents and into documents."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace as changed
from typing import TYPE_CHECKING, Any

from jackfield.connections import StoredConnection
from jackfield.connections.documents import DocumentError, read_text
from jackfield.connections.importing import read_document
from jackfield.connections.sealed_values import joined, parted
from jackfield.errors import Detail, InvalidConnection, JackfieldError

if TYPE_CHECKING:
    from jackfield.connections import Connections
    from jackfield.pipe.connecting import ManagedConnections
    from jackfield.pipe.drafting import Giver
    from jackfield.pipe.kinds import Kinds

__all__ = ["exported", "imported"]


def imported(
    connections: ManagedConnections, document: str | os.PathLike[str], *, replace: bool, test: bool, force: bool, giver: Giver
) -> list[dict[str, Any]]:
    """Keep the connections of a document, one by one: what is refused leaves the others alone. A row for each.

    :raises InvalidConnection: where the document cannot be read at all.
    :raises InvalidInvocation: where there is no database.
    """
    host = giver.origin == "operator"
    text, source, folder = _text(document) if host else (str(document), "the document", ".")
    rows = []
    for item in read_document(text, source, folder, reads_host=host):
        if isinstance(item, str):
            fault = InvalidConnection(item, details=[Detail("", item)], hint="See the format of connection files.")
            rows.append({"name": None, "type": None, "result": "refused", "error": fault.to_json()})
            continue
        row = {"name": item.name, "type": item.type}
        try:
            rows.append({**row, **_kept(connections, item, changed(giver, folder=folder), replace=replace, test=test, force=force)})
        except JackfieldError as error:
            rows.append({**row, "result": "refused", "error": error.to_json()})
    return rows


def _kept(
    connections: ManagedConnections, item: StoredConnection, giver: Giver, *, replace: bool, test: bool, force: bool
) -> dict[str, Any]:
    store = connections.known.store
    there = store.show(item.name) if store is not None else None
    if replace and there is not None and there.type == connections.kinds.find(item.type).full_name:
        shown = connections.replace(item.name, item.values, test=test, force=force, giver=giver)
        return {"result": "replaced", "status": shown["status"]}
    shown = connections.add(item.name, item.type, item.values, test=test, force=force, giver=giver)
    return {"result": "added", "status": shown["status"]}


def _text(document: str | os.PathLike[str]) -> tuple[str, str, str]:
    """The text, the name of its source and the folder of its relative references."""
    if isinstance(document, str) and ("\n" in document or document.lstrip().startswith(("{", "["))):
        return document, "the document", "."
    if isinstance(document, str) and document.startswith("$"):
        return _variable(document), document, "."
    path = os.path.expanduser(os.fspath(document))  # noqa: PTH111 (as connection files are read)
    try:
        return read_text(path), os.path.basename(path), os.path.dirname(path) or "."  # noqa: PTH119, PTH120 (as above)
    except DocumentError as error:
        raise InvalidConnection(f"{path[:200]}: {error}", hint="Check the path and its permissions.") from None


def _variable(name: str) -> str:
    found = os.environ.get(name[1:])
    if found is None:
        raise InvalidConnection(f"{name[:81]}: the environment variable is not set", hint="Set it, or give the path of a file.")
    return found


def exported(known: Connections, kinds: Kinds, names: Iterable[str] | None, *, secrets: bool) -> dict[str, Any]:
    """Connections as a connection file has them: all that the workspace has, or those of ``names``.

    :raises UnknownConnection: for a name that there is not.
    """
    entries = {}
    for name in _names(known) if names is None else names:
        stored = known.find(name)
        entries[name] = {"type": stored.type, "values": stored.values if secrets else _without_secrets(stored, kinds)}
    return {"connections": entries}


def _names(known: Connections) -> Iterator[str]:
    yield from (item.name for item in known.files())
    after, store = "", known.store
    while store is not None:
        page = store.list(after=after)
        yield from (item.name for item in page if known.in_files(item.name) is None)
        if not page:
            return
        after = page[-1].name


def _without_secrets(stored: StoredConnection, kinds: Kinds) -> Mapping[str, Any]:
    """The values with a reference to an environment variable in the place of each secret.

    :raises InvalidConnection: where the type is not installed, so that nobody knows what is secret.
    """
    parts = parted(kinds.find(stored.type).schema, stored.values)
    references = {path: _reference(stored.name, path) for path in parts.secrets}
    return joined(dict(parts.public), references)


def _reference(name: str, path: str) -> bytes:
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", f"{name}{path}")
    variable = re.sub(r"[^A-Za-z0-9]+", "_", words).upper()
    return f'{{"$env": "{variable}"}}'.encode()
