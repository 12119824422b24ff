"""``jackfield options``: list the choices for a form field."""

from __future__ import annotations

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import open_jackfield


def _declare(parser: Parser) -> None:
    parser.add_argument("connector", metavar="CONNECTOR")
    parser.add_argument("source", metavar="SOURCE", help="the option source, such as awsRegions")
    parser.add_argument("--connection", metavar="NAME", help="the connection to query the provider with")


def _run(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        found = jackfield.options(arguments.connector, arguments.source, connection=arguments.connection)
    output.rows(found, ("value", "label"))
    return 0


VERBS = {"": Verb("List the choices from an option source.", _declare, _run)}
