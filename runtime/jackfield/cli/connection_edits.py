"""``jackfield connections add``, ``replace`` and ``import``: the commands that store connections."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.cli.local_files import STDIN, Files
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, UsageError, Verb
from jackfield.cli.quantities import count
from jackfield.cli.session import actor, open_jackfield
from jackfield.errors import InvalidInvocation

if TYPE_CHECKING:
    from jackfield.management.drafts import Provenance
    from jackfield.runtime import Jackfield

_NOT_VALID = 2
_LARGEST_VERSION = 1_000_000_000


def _declare_trial(parser: Parser) -> None:
    parser.add_argument("--force", action="store_true", help="save even if the test fails")
    parser.add_argument("--no-test", action="store_true", help="save without testing")


def _declare_add(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--type", required=True, metavar="TYPE", help="the connection type, such as aws-ses/awsAssumeRole")
    parser.add_argument("--values", metavar="FILE", help="the values as JSON or YAML (- = stdin); on a terminal, prompted for if omitted")
    _declare_trial(parser)


def _add(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        if arguments.values is None:
            values, provenance = _asked(jackfield, arguments), _provenance(".")
        else:
            values, provenance = _from_file(arguments.values)
        tested = not arguments.no_test
        connections = jackfield.connections.acting_as(actor())
        output.value(connections.add(arguments.name, arguments.type, values, test=tested, force=arguments.force, provenance=provenance))
    return 0


def _declare_replace(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--values", required=True, metavar="FILE", help="the values as JSON or YAML (- = stdin)")
    parser.add_argument("--version", type=count(1, _LARGEST_VERSION), metavar="N", help="fail unless this is still the current version")
    _declare_trial(parser)


def _replace(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        values, provenance = _from_file(arguments.values)
        found = jackfield.connections.acting_as(actor()).replace(
            arguments.name, values, arguments.version, test=not arguments.no_test, force=arguments.force, provenance=provenance
        )
        output.value(found)
    return 0


def _declare_import(parser: Parser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="a connection file, a folder of them, or '$NAME' for an environment variable (- = stdin)"
    )
    parser.add_argument(
        "--values", metavar="FILE", help="values as JSON or YAML (- = stdin) to add to each connection, such as credentials"
    )
    parser.add_argument("--replace", action="store_true", help="replace stored connections with the same names")
    _declare_trial(parser)


def _import(arguments: Namespace, output: Output) -> int:
    document = arguments.file
    if document == STDIN and arguments.values == STDIN:
        raise UsageError("the document and the values cannot both be stdin", usage=arguments.usage, hint="Give one of them as a file.")
    values = _from_file(arguments.values)[0] if arguments.values is not None else None
    if document == STDIN:
        document = Files().read_text(STDIN) + "\n"
    with open_jackfield() as jackfield:
        rows = jackfield.connections.acting_as(actor()).import_document(
            document, values=values, replace=arguments.replace, test=not arguments.no_test, force=arguments.force
        )
    output.rows(rows, ("name", "type", "result", "status"))
    for row in rows:
        if "error" in row:
            sys.stderr.write(f"jackfield: {row['name'] or 'a connection'}: {row['error']['message']}\n")
    return _NOT_VALID if any(row["result"] == "refused" for row in rows) else 0


def _asked(jackfield: Jackfield, arguments: Namespace) -> Mapping[str, Any]:
    if sys.stdin is None or not sys.stdin.isatty():
        hint = "Give them as --values FILE (- = stdin); prompting needs a terminal."
        raise UsageError("the values are missing", usage=arguments.usage, hint=hint)
    from jackfield.cli.asking import ask

    return ask(jackfield, arguments.type)


def _from_file(path: str) -> tuple[Mapping[str, Any], Provenance]:
    """Read values from a file, and return them with the folder that their relative ``$file`` references start from.

    :raises InvalidInvocation: if it cannot be read, or is not a single object.
    """
    from jackfield.connections.documents import DocumentError, documents

    name = "stdin" if path == STDIN else f"the file '{path[:200]}'"
    try:
        found = list(documents(Files().read_text(path), path))
    except DocumentError as error:
        raise InvalidInvocation(f"{name}: {error}", hint="Write the values as JSON or YAML.") from None
    if len(found) != 1 or not isinstance(found[0], Mapping):
        raise InvalidInvocation(
            f"{name} must contain one object with a member for each value", hint='Write {"roleARN": "…"} or "roleARN: …".'
        )
    return found[0], _provenance("." if path == STDIN else os.path.dirname(path) or ".")


def _provenance(folder: str) -> Provenance:
    from jackfield.management.drafts import Provenance

    return Provenance(folder=folder)


EDITS = {
    "add": Verb("Test and store a connection.", _declare_add, _add),
    "replace": Verb("Replace the values of a stored connection; omitted secrets are kept.", _declare_replace, _replace),
    "import": Verb("Store the connections of a file or a folder.", _declare_import, _import),
}
