"""``jackfield diff``: changes between two versions of a connector, and the version step that they demand."""

from __future__ import annotations

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb

_FAILED = 1


def _declare(parser: Parser) -> None:
    parser.add_argument("old", metavar="OLD", help="a wheel, a connector's folder or a connector.json")
    parser.add_argument("new", metavar="NEW", help="the later version, in one of these forms")


def _diff(arguments: Namespace, output: Output) -> int:
    from jackfield_market.manifest_changes import compare, read_described

    found = compare(read_described(arguments.old), read_described(arguments.new))
    output.value(found.to_json())
    return 0 if found.sufficient else _FAILED


VERBS = {"": Verb("Classify the changes between two versions; exit code 1 if the version step is too small.", _declare, _diff)}
