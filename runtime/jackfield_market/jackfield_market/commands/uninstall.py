"""``jackfield uninstall``: remove an installed connector, or some versions of it."""

from __future__ import annotations

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield_market.commands.install import operations


def _declare(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="connector, perhaps with a version: NAME==1.2.0")


def _uninstall(arguments: Namespace, output: Output) -> int:
    output.value({"uninstalled": operations(arguments).uninstall(arguments.name)})
    return 0


VERBS = {"": Verb("Remove a connector that 'jackfield install' has installed; its connections stay.", _declare, _uninstall)}
