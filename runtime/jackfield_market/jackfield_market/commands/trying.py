"""``jackfield try``: a first read of an installed connector, without an account."""

from __future__ import annotations

from jackfield.catalog import Catalog
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb

_FAILED = 1


def _declare(parser: Parser) -> None:
    parser.add_argument("connector", metavar="CONNECTOR", help="the key of an installed connector without code, such as airtable")
    parser.add_argument("--type", metavar="KEY", help="the connection type to try (default: the simplest)")
    parser.add_argument("--action", metavar="KEY", help="the action to call (default: a list, or another read)")


def _run(arguments: Namespace, output: Output) -> int:
    from jackfield_market.trying import tried

    found = tried(Catalog.installed().find(arguments.connector), arguments.type, arguments.action)
    output.value(found)
    return 0 if "error" not in found["result"] else _FAILED


VERBS = {"": Verb("Call an installed connector without an account, against a fake of its provider.", _declare, _run)}
