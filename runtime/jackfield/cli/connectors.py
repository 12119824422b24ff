"""``jackfield connectors``: list and show the installed connectors."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jackfield.catalog import Catalog, Entry
from jackfield.catalog.installations import revocations
from jackfield.catalog.of_workspace import installed_here
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.errors import UnknownConnector

if TYPE_CHECKING:
    from jackfield.manifest import Manifest

_COLUMNS = ("key", "title", "version", "actions", "status")
_FAILED = 1


def _declare_list(parser: Parser) -> None:
    text = "import each connector, validate its schemas and compare its manifest with its code; exit code 1 if one is broken"
    parser.add_argument("--check", action="store_true", help=text)
    parser.add_argument("--all", action="store_true", help="also each connector of a source that is offered as a whole, such as aws.s3")


def _list(arguments: Namespace, output: Output) -> int:
    catalog = installed_here(os.environ)
    rows = _checked_rows() if arguments.check else [entry.to_json() for entry in _entries(catalog, folded=not arguments.all)]
    revoked = revocations(catalog.whole.home)
    rows = [{**row, "revoked": revoked[row["key"]]} if row["key"] in revoked else row for row in rows]
    output.rows(rows, (*_COLUMNS, *(name for name in ("revoked", "error") if any(name in row for row in rows))))
    for name in () if arguments.all else catalog.offered_whole:
        sys.stderr.write(
            f"jackfield: every service of {name} is a connector, too: {name}.SERVICE; 'jackfield search WORDS' finds their actions,"
            " '--all' lists them\n"
        )
    return _FAILED if arguments.check and any(row["status"] != "ok" for row in rows) else 0


def _entries(catalog: Catalog, *, folded: bool) -> list[Entry]:
    """Return the rows of the connectors, from the search index if a process has kept one."""
    home = catalog.whole.home
    if home is not None and os.path.isdir(os.path.join(home, "cache")):
        from jackfield.catalog.index import ActionIndex
        from jackfield.surfaces.shared.searching import listed_connectors

        index = ActionIndex(catalog)
        if index.kept():
            return list(listed_connectors(index, catalog, folded=folded))
    return catalog.entries(folded=folded)


def _checked_rows() -> list[dict[str, Any]]:
    """Return the rows of all connectors, each imported and compared with its manifest; isolated ones in processes of their own."""
    from jackfield.isolation.children import Children

    with closing(Children(os.environ)) as children:
        catalog = Catalog.installed(loader=children.load)
        return [_checked(catalog, entry).to_json() for entry in catalog.entries(load=True)]


def _checked(catalog: Catalog, entry: Entry) -> Entry:
    if entry.error is not None:
        return entry
    try:
        _found(catalog, entry.key)
        fault = catalog.differs(entry.key)
    except UnknownConnector as error:
        fault = error.message
    return replace(entry, error=fault) if fault is not None else entry


def _found(catalog: Catalog, key: str) -> Manifest:
    from jackfield.schema.cache import check_schemas

    manifest = catalog.find(key)
    if not manifest.virtual:
        check_schemas(manifest)
    return manifest


def _declare_show(parser: Parser) -> None:
    parser.add_argument("connector", metavar="CONNECTOR")


def _show(arguments: Namespace, output: Output) -> int:
    output.value(_found(installed_here(os.environ), arguments.connector).whole())
    return 0


VERBS = {
    "list": Verb("List the installed connectors.", _declare_list, _list),
    "show": Verb("Print the manifest of a connector.", _declare_show, _show),
}
