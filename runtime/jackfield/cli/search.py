"""``jackfield search``: full-text search over actions."""

from __future__ import annotations

import sys

from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.quantities import count
from jackfield.cli.session import LARGEST_LIMIT, LIMIT, open_jackfield


def _declare(parser: Parser) -> None:
    parser.add_argument("words", nargs="*", metavar="WORDS", help="such as: send email; may be left out with --connector or --tag")
    parser.add_argument("--connector", metavar="CONNECTOR", help="only this connector's actions")
    parser.add_argument("--effect", choices=("read", "idempotent", "write"), help="only actions with this effect")
    parser.add_argument("--tag", metavar="TAG", help="only actions with this tag, the 'group' of an action in its manifest")
    parser.add_argument(
        "--limit",
        type=count(1, LARGEST_LIMIT),
        metavar="N",
        help=f"maximum number of actions (default {LIMIT} in a table, all in JSON)",
    )


def _run(arguments: Namespace, output: Output) -> int:
    if not (arguments.words or arguments.connector or arguments.tag):
        missing = "the following arguments are required: WORDS"
        raise UsageError(missing, usage=arguments.usage, hint="See 'jackfield search --help'.")
    with open_jackfield() as jackfield:
        words = " ".join(arguments.words)
        found = jackfield.search(words, connector=arguments.connector, effect=arguments.effect, tag=arguments.tag)
    if found and not found[0].get("exact", True):
        sys.stderr.write("jackfield: no action matches all words; showing the closest\n")
    limit = arguments.limit or (LIMIT if output.for_people else len(found))
    output.rows(found[:limit], ("connector", "action", "title", "effect"))
    if len(found) > limit:
        sys.stderr.write(f"jackfield: … {len(found) - limit:,} more; --limit N\n")
    return 0


VERBS = {"": Verb("Search actions, best match first.", _declare, _run)}
