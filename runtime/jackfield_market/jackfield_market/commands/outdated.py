"""``jackfield outdated``: installed connectors with a newer release or a revoked key."""

from __future__ import annotations

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield_market.commands.install import operations

_COLUMNS = ("connector", "version", "latest", "status", "source")


def _declare(parser: Parser) -> None:
    parser.add_argument("--policy", metavar="FILE", help="policy file (default: install-policy.toml in the data folder, if it exists)")


def _outdated(arguments: Namespace, output: Output) -> int:
    rows = operations(arguments).outdated()
    output.rows(rows, (*_COLUMNS, "error") if any("error" in row for row in rows) else _COLUMNS)
    return 0


VERBS = {"": Verb("List installed connectors that have a newer release or a revoked key.", _declare, _outdated)}
