"""``jackfield connections``: list, show, test, rename, remove and export connections; print their policies."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from jackfield.cli.connect import CONNECT
from jackfield.cli.connection_edits import EDITS
from jackfield.cli.output import Output
from jackfield.cli.parsing import Namespace, Parser, Verb
from jackfield.cli.session import actor, declare_pages, open_jackfield, pages
from jackfield.errors import Detail, InvalidConnection, InvalidInvocation

if TYPE_CHECKING:
    from jackfield.management.connections import ManagedConnections

_FORMATS = {
    "iam": "identityPolicy",
    "trust": "trustPolicy",
    "assume": "assumePolicy",
    "cloudformation": "cloudFormation",
    "terraform": "terraform",
}
"""Member that holds the document of each format."""


def _declare(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--actions", metavar="A,B", help="only what these actions need (default: all that the connection serves)")
    parser.add_argument("--connector", metavar="KEY", help="only what the actions of this connector need, such as aws.s3")
    parser.add_argument("--principal", metavar="ARN", help="the principal that assumes the role: the user of the connection's access key")
    parser.add_argument(
        "--from", dest="sender", metavar="ADDRESS", help="the address to send from, * as wildcard (default: the connection's)"
    )
    parser.add_argument("--format", choices=(*_FORMATS, "all"), default="all", help="what to print (default all)")


def _run(arguments: Namespace, output: Output) -> int:
    actions = [word.strip() for word in arguments.actions.split(",") if word.strip()] if arguments.actions is not None else None
    with open_jackfield() as jackfield:
        found = jackfield.connections.policy(arguments.name, actions, arguments.principal, arguments.sender, arguments.connector)
    document = found if arguments.format == "all" else _document(found, arguments.format)
    if isinstance(document, str):
        output.text(document)
    else:
        output.value(document)
    return 0


def _document(found: dict[str, Any], form: str) -> Any:
    member = _FORMATS[form]
    if member not in found:
        there = ", ".join(name for name, key in _FORMATS.items() if key in found)
        raise InvalidInvocation(f"the connection '{found['connection']}' has no document '{form}'", hint=f"It has {there}.")
    return found[member]


POLICY = Verb("Print least-privilege policies for the connection, and templates that set them up.", _declare, _run)

_FAILED = 1
_MEMBERS = ("name", "type", "source", "status", "account", "problem")


def _declare_list(parser: Parser) -> None:
    parser.add_argument("--type", metavar="TYPE", help="only connections of this type")
    parser.add_argument("--search", metavar="TEXT", help="only connections with this text in their name, type or account")
    declare_pages(parser)


def _list(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        connections = jackfield.connections
        found = pages(arguments, lambda cursor, limit: _page(connections, arguments, cursor, limit))
        rows = [{name: item[name] for name in _MEMBERS if name in item} for item in found]
        problems, warnings = connections.problems, connections.warnings
    if problems and not rows:
        raise InvalidConnection(
            "no connection can be read", details=[Detail("", problem) for problem in problems], hint="Correct the files."
        )
    output.rows(rows, ("name", "type", "status", "source"))
    damaged = [f"the connection '{row['name']}' cannot be used: {row['problem']}" for row in rows if "problem" in row]
    for sentence in (*problems, *damaged, *warnings):
        sys.stderr.write(f"jackfield: {sentence}\n")
    return _FAILED if problems or damaged else 0


def _page(connections: ManagedConnections, arguments: Namespace, cursor: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    found = connections.list(cursor, limit, type=arguments.type, text=arguments.search)
    return list(found.items), found.next_cursor


def _declare_name(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")


def _show(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        output.value(jackfield.connections.show(arguments.name))
    return 0


def _test(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        found = jackfield.connections.acting_as(actor()).test(arguments.name)
    output.value(found)
    return 0 if found["status"] == "ok" else _FAILED


def _declare_rename(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("new_name", metavar="NEW_NAME")


def _rename(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        output.value(jackfield.connections.acting_as(actor()).rename(arguments.name, arguments.new_name))
    return 0


def _remove(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        jackfield.connections.acting_as(actor()).remove(arguments.name)
    output.value({"removed": arguments.name})
    return 0


def _declare_export(parser: Parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="the connections (default: all)")
    parser.add_argument("--secrets", action="store_true", help="include the secrets instead of references to environment variables")


def _export(arguments: Namespace, output: Output) -> int:
    with open_jackfield() as jackfield:
        output.value(jackfield.connections.acting_as(actor()).export(arguments.names or None, secrets=arguments.secrets))
    return 0


VERBS = {
    "list": Verb("List the connections.", _declare_list, _list),
    "show": Verb("Print a connection with masked secrets.", _declare_name, _show),
    "test": Verb("Test a connection without changing anything; exit code 1 if it fails.", _declare_name, _test),
    **EDITS,
    "connect": CONNECT,
    "rename": Verb("Rename a stored connection.", _declare_rename, _rename),
    "remove": Verb("Remove a stored connection and its secrets.", _declare_name, _remove),
    "export": Verb("Print connections in the format of a connection file.", _declare_export, _export),
    "policy": POLICY,
}
