"""``jackfield search``: full-text search over actions."""

from __future__ import annotations

import sys

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import open_jackfield


def _declare(parser: Parser) -> None:
    parser.add_argument("words", nargs="+", metavar="WORDS", help="such as: send email")
    parser.add_argument("--connector", metavar="CONNECTOR", help="only this connector's actions")
    parser.add_argument("--effect", choices=("read", "idempotent", "write"), help="only actions with this effect")


def _run(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        found = jackfield.search(" ".join(arguments.words), connector=arguments.connector, effect=arguments.effect)
    if found and not found[0].get("exact", True):
        sys.stderr.write("jackfield: no action matches all words; showing the closest\n")
    output.rows(found, ("connector", "action", "title", "effect"))
    return 0


VERBS = {"": Verb("Search actions, best match first.", _declare, _run)}
