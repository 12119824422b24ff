"""``jackfield doctor``: find what keeps a connection from working, with evidence and fixes."""

from __future__ import annotations

from jackfield.cli.arguments import read_inputs
from jackfield.cli.local_files import Files
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import actor, caller, open_jackfield

_UNHEALTHY = 1


def _declare(parser: Parser) -> None:
    parser.usage = "jackfield doctor CONNECTION [key=value …]"
    parser.add_argument("connection", metavar="CONNECTION")
    parser.add_argument(
        "words", nargs="*", metavar="key=value", help="an input of the connector's action 'doctor', such as sender=a@example.com"
    )


def _run(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        found = jackfield.diagnose(arguments.connection, read_inputs(arguments.words, {}, Files()), caller=caller(), actor=actor())
    output.value(found)
    return 0 if found["healthy"] else _UNHEALTHY


VERBS = {"": Verb("Test a connection and examine its setup; exit code 1 if a finding is an error.", _declare, _run)}
