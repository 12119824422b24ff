"""``jackfield connectors``: what is installed."""

from __future__ import annotations

from jackfield.catalog import Catalog
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb

__all__ = ["VERBS"]

_COLUMNS = ("key", "title", "version", "actions", "status")
_FAILED = 1


def _declare_list(parser: Parser) -> None:
    parser.add_argument("--check", action="store_true", help="import each connector too; exit code 1 where one is broken")


def _list(arguments: Namespace, output: Output) -> int:
    rows = [entry.to_json() for entry in Catalog.installed().entries(load=arguments.check)]
    output.rows(rows, (*_COLUMNS, "error") if any("error" in row for row in rows) else _COLUMNS)
    return _FAILED if arguments.check and any(row["status"] != "ok" for row in rows) else 0


def _declare_show(parser: Parser) -> None:
    parser.add_argument("connector", metavar="CONNECTOR")


def _show(arguments: Namespace, output: Output) -> int:
    output.value(Catalog.installed().find(arguments.connector).raw)
    return 0


VERBS = {
    "list": Verb("List the installed connectors.", _declare_list, _list),
    "show": Verb("Print the manifest of a connector.", _declare_show, _show),
}
