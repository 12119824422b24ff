"""``jackfield upgrade``: newer releases of installed connectors, unless they break callers."""

from __future__ import annotations

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield_market.commands.install import declare_common, operations

_FAILED = 1


def _declare(parser: Parser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="connectors (default: all that are not pinned)")
    parser.add_argument("--allow-breaking", action="store_true", help="upgrade although callers break")
    parser.add_argument("--dry-run", action="store_true", help="verify and compare, but install nothing")
    declare_common(parser)


def _upgrade(arguments: Namespace, output: Output) -> int:
    found = operations(arguments).upgrade(
        arguments.names, breaking=arguments.allow_breaking, dry_run=arguments.dry_run, lock=arguments.lock
    )
    output.value(found)
    return _FAILED if found["refused"] else 0


VERBS = {"": Verb("Install newer releases of connectors, unless they break callers; exit code 1 if one is refused.", _declare, _upgrade)}
